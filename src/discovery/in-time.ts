/** A bound on what the application's own discovery may take. */
import type { Clock, Timer } from '../platform/ports.js';
import type { EndpointSet, Resolver } from './resolver.js';

/** Milliseconds that a source may take (R32). */
const ANSWER_TIMEOUT_MS = 10_000;

/** `resolver`, which answers, fails or is given up within ten seconds, and at once when its signal is aborted. */
export function inTime(resolver: Pick<Resolver, 'resolve'>, clock: Clock): Resolver {
  return { resolve: (signal) => ask(resolver, clock, signal) };
}

async function ask(
  resolver: Pick<Resolver, 'resolve'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<EndpointSet> {
  signal.throwIfAborted();
  const question = new AbortController();
  const asked = new AbortController();
  let timer: Timer | undefined;
  const noAnswer = new Promise<never>((_, reject) => {
    const giveUp = (reason: Error) => {
      question.abort(reason);
      reject(reason);
    };
    signal.addEventListener('abort', () => giveUp(signal.reason), { once: true, signal: asked.signal });
    timer = clock.setTimeout(
      () => giveUp(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`)),
      ANSWER_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([resolver.resolve(question.signal), noAnswer]);
  } finally {
    if (timer) clock.clearTimeout(timer);
    // The signal lives on; its listener must not.
    asked.abort();
  }
}
