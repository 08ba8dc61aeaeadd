/** etcd's watch through its JSON gateway: one JSON object a line, for as long as the connection holds. */
import { chunks } from './body.js';
import { Deadline } from './deadline.js';
import { failure } from './failure.js';
import { parseJson } from './json.js';
import { MAX_BODY_BYTES } from './limits.js';
import { object } from './mappings/mapping.js';
import type { Channel } from './push.js';

const HEADERS_TIMEOUT_MS = 5_000;
/** etcd says nothing while nothing changes; Node's fetch gives an idle body five minutes. */
const SILENCE_MS = 240_000;

/**
 * A change is a reason to look, and the range is what counts: so nothing is lost between the two, no revision has to
 * be kept, and a compacted one cannot be asked for. The `created` message is a reason to look, too.
 */
export const etcdWatch: Channel = async ({ source, http, clock, signal, offer }) => {
  const { watch, shown } = source.target;
  if (!watch) throw failure(`${shown} is no range of etcd`);
  const deadline = new Deadline(clock, signal);
  let open = false;
  deadline.allow(HEADERS_TIMEOUT_MS, 'no watch');
  try {
    const target = { ...watch, shown };
    const response = await http.open({ target, accept: 'application/json', cache: 'no-store' }, deadline);
    if (!response.body) return 'again';
    open = true;
    deadline.allow(SILENCE_MS, 'nothing from the watch');
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of chunks(response.body, deadline)) {
      deadline.allow(SILENCE_MS, 'nothing from the watch');
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_BODY_BYTES)
        throw failure(`${shown} sent a line longer than ${MAX_BODY_BYTES} bytes`);
      for (const line of lines) {
        if (line.trim() === '') continue;
        const { result } = object(parseJson(line));
        const { canceled, created, events } = object(result);
        if (canceled === true || result === undefined) throw failure(`${shown} cancelled the watch`);
        if (created === true || events !== undefined) offer(() => source.ask(signal, true));
      }
    }
    return 'again';
  } catch (error) {
    // Nothing changed for a while: no failure, but time to see whether the connection is still there.
    if (open && deadline.expired) return 'again';
    throw error;
  } finally {
    deadline.end();
  }
};
