/** Consul's blocking queries (R62). */
import { readText } from './body.js';
import { Deadline } from './deadline.js';
import { failure, NOT_OFFERED_MS } from './failure.js';
import { MAX_BODY_BYTES } from './limits.js';
import { pause } from './pause.js';
import type { Channel, ChannelContext } from './push.js';

const WAIT_SECONDS = 55;
/** The server adds up to a sixteenth of the wait, and the answer has to travel. */
const ANSWER_TIMEOUT_MS = WAIT_SECONDS * 1_000 * (1 + 1 / 16) + 5_000;
/** However fast the server returns, it is asked once a second at most. */
const MIN_GAP_MS = 1_000;

/** Asks again and again; each question waits at the server until its index has grown. Ends by failing. */
export const longPoll: Channel = async (context) => {
  const { source, clock, signal, offer } = context;
  let known: number | undefined;
  while (!signal.aborted) {
    const askedAt = clock.now();
    const { index, text } = await question(context, known);
    // The same index is a wait that ran out; a smaller one is a new server, whose count starts again.
    if (index !== known) offer(() => source.read(text));
    known = known !== undefined && index < known ? undefined : index;
    await pause(clock, Math.max(0, askedAt + MIN_GAP_MS - clock.now()), signal);
  }
  return 'again';
};

async function question(
  { source, http, clock, signal }: ChannelContext,
  known: number | undefined,
): Promise<{ index: number; text: string }> {
  const url = new URL(source.target.url);
  if (known !== undefined) {
    url.searchParams.set('index', String(known));
    url.searchParams.set('wait', `${WAIT_SECONDS}s`);
  }
  const deadline = new Deadline(clock, signal);
  deadline.allow(ANSWER_TIMEOUT_MS, 'no answer to a long poll');
  try {
    const target = { ...source.target, url: url.href };
    const response = await http.open({ target, accept: 'application/json', cache: 'no-store' }, deadline);
    const text = await readText(response.body, MAX_BODY_BYTES, deadline);
    const index = Number(response.headers.get('x-consul-index') ?? 0);
    // Without an index the server does not wait, and we would ask in a loop.
    if (!(Number.isSafeInteger(index) && index > 0))
      throw failure(`${source.target.shown} gives no X-Consul-Index`, { retryAfterMs: NOT_OFFERED_MS });
    return { index, text };
  } finally {
    deadline.end();
  }
}
