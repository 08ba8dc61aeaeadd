/** `sub`: what is published, as lines. */
import type { IPublishPacket } from 'mqtt';
import mqtt from 'mqtt';
import type { Arguments } from './arguments.js';
import { openSession, qosOf } from './session.js';
import { printable, type Terminal } from './terminal.js';
import { quoted, UsageError } from './usage.js';

/** SUBACK codes from here on are refusals, in all versions of MQTT. */
const REFUSED = 0x80;

/** Runs `sub`. */
export async function sub(args: Arguments, terminal: Terminal): Promise<number> {
  const { platform, signal } = terminal;
  const filters = [...args.operands];
  const wrong = filters.find((filter) => mqtt.validateTopics([filter]) !== null);
  if (wrong !== undefined)
    throw new UsageError(
      `<filter…> must be topic filters: + is a whole level, # the last one; got ${quoted(wrong)}`,
    );
  const wanted = args.number('count', { min: 1, max: 1e15 });
  const forMs = args.number('for', { min: 0.001, max: 2_000_000, integer: false });
  const qos = qosOf(args);
  const client = await openSession(args, terminal);
  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  let seen = 0;
  let isOver = false;
  let isSubscribed = false;
  // MQTT.js's hook for what must be done before the next packet is read: a slow reader of stdout holds the broker back.
  client.handleMessage = (packet, next) => {
    if (seen === wanted) return;
    seen += 1;
    const line = terminal.quiet
      ? JSON.stringify(asJson(packet))
      : asLine(packet, args.flag('topics'), terminal);
    terminal.print(line).then(() => {
      if (seen === wanted) end(0);
      next();
    });
  };
  client.subscribe(filters, { qos }, (error, granted = []) => {
    // Given up by us, and no word of a broker.
    if (isOver) return;
    isSubscribed = !error;
    const refused = granted.filter((grant) => grant.qos >= REFUSED).map(({ topic }) => topic);
    if (!error && refused.length === 0) return;
    const which = refused.length > 0 ? refused : filters;
    terminal.note(printable(`refused: ${which.join(', ')} (${error?.message ?? 'by the broker'})`));
    end(1);
  });
  client.on('subscription-refused', ({ filter, endpoint, willRetry }) => {
    terminal.note(printable(`${endpoint} refuses ${filter} after a fail-over`));
    if (!willRetry) end(1);
  });
  signal.addEventListener('abort', () => end(0));
  if (signal.aborted) end(0);
  const timer =
    forMs === undefined
      ? undefined
      : platform.clock.setTimeout(() => end(wanted === undefined && isSubscribed ? 0 : 1), forMs * 1_000);
  const code = await ended;
  isOver = true;
  if (timer) platform.clock.clearTimeout(timer);
  await client.endAsync(true);
  return code;
}

function asLine({ topic, payload }: IPublishPacket, withTopic: boolean, { isInteractive }: Terminal): string {
  const text = payload.toString();
  // Into a pipe or a file payloads go as they are.
  const shown = isInteractive ? printable(text) : text;
  return withTopic ? `${isInteractive ? printable(topic) : topic} ${shown}` : shown;
}

function asJson({ topic, payload, qos, retain }: IPublishPacket): object {
  const bytes = Buffer.from(payload as Uint8Array);
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text, 'utf8').equals(bytes);
  return isText
    ? { topic, payload: text, qos, retain }
    : { topic, payload: bytes.toString('base64'), encoding: 'base64', qos, retain };
}
