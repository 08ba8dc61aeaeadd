/** Notices that the application has other credentials than those that brokers refuse (D16). */
import type { Credentials } from '../dial/credentials.js';
import type { Clock, Random, Timer } from '../platform/ports.js';

/** Milliseconds between two questions, at most; a quarter less at least, so that a fleet asks its issuer at all times. */
const ASK_MS = 60_000;
const ASK_JITTER = 0.25;

/** What it takes to ask. */
export interface CredentialsWatchDeps {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Asks the application every minute, until `signal` is aborted or others are taken. Nothing goes over the wire.
 *
 * @param onOthers - There are others; returns whether they are tried now. If not, the next answer is as good.
 */
export function watchCredentials(
  { credentials, clock, random }: CredentialsWatchDeps,
  signal: AbortSignal,
  onOthers: () => boolean,
): void {
  if (!credentials.canRefresh || signal.aborted) return;
  let timer: Timer | undefined;
  const ask = async () => {
    timer = undefined;
    const others = await credentials.haveChanged(signal);
    if (!signal.aborted && !(others && onOthers())) askLater();
  };
  const askLater = () => {
    timer = clock.setTimeout(() => void ask(), ASK_MS * (1 - ASK_JITTER * random.next()));
  };
  signal.addEventListener('abort', () => {
    if (timer) clock.clearTimeout(timer);
  });
  askLater();
}
