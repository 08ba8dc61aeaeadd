/** `pub`: messages through the outbox, from an argument or from stdin. */
import mqtt from 'mqtt';
import type { FailoverClient } from '../client/client.js';
import type { Arguments } from './arguments.js';
import { linesOf } from './lines.js';
import { openSession, qosOf } from './session.js';
import { count } from './table.js';
import { printable, type Terminal } from './terminal.js';
import { quoted, UsageError } from './usage.js';

/** Publishes that wait for their acknowledgement at once; stdin is not read further meanwhile. */
const WINDOW = 1_000;
/** Bytes of one message: as much as the outbox holds. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT_S = 10;
/** Milliseconds for what is under way when the user interrupts. */
const INTERRUPTED_MS = 500;

/** Runs `pub`. */
export async function pub(args: Arguments, terminal: Terminal): Promise<number> {
  const topic = args.operand(0);
  const message = args.operands[1];
  if (mqtt.validateTopic(topic) === false || /[+#]/.test(topic))
    throw new UsageError(`<topic> must be a topic without wildcards, got ${quoted(topic)}`);
  if (message !== undefined && args.flag('lines'))
    throw new UsageError('--lines reads messages from stdin: leave the message out, or --lines');
  const timeoutMs =
    1_000 * (args.number('timeout', { min: 0, max: 86_400, integer: false }) ?? DEFAULT_TIMEOUT_S);
  const qos = qosOf(args);
  const client = await openSession(args, terminal, { outbox: { maxBytes: 4 * MAX_MESSAGE_BYTES } });
  const publisher = new Publisher(client, { topic, qos, retain: args.flag('retain') }, terminal);
  const { signal } = terminal;
  try {
    for await (const payload of messages(message, args.flag('lines'), terminal))
      await publisher.publish(payload);
  } catch (error) {
    if (!signal.aborted) {
      await client.endAsync(true);
      throw error;
    }
  }
  await finish(client, publisher, timeoutMs, signal);
  return publisher.report();
}

/** Delivers what is waiting; an interrupt cuts that short. */
async function finish(
  client: FailoverClient,
  publisher: Publisher,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const interrupted = () => void client.drain({ timeoutMs: INTERRUPTED_MS });
  signal.addEventListener('abort', interrupted);
  await client.drain({ timeoutMs: signal.aborted ? INTERRUPTED_MS : timeoutMs });
  signal.removeEventListener('abort', interrupted);
  await publisher.settled();
}

async function* messages(
  message: string | undefined,
  lines: boolean,
  { stdin, signal }: Terminal,
): AsyncGenerator<Buffer> {
  if (message !== undefined) {
    yield Buffer.from(message);
    return;
  }
  const stop = () => stdin.destroy();
  signal.addEventListener('abort', stop);
  if (signal.aborted) return;
  const bound = { maxBytes: MAX_MESSAGE_BYTES };
  try {
    if (lines) yield* linesOf(stdin, bound);
    else yield await wholeOf(stdin);
  } catch (error) {
    if (signal.aborted) return;
    throw new UsageError(`stdin cannot be used: ${(error as Error).message}`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function wholeOf(input: Terminal['stdin']): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const piece = Buffer.from(chunk as Uint8Array);
    bytes += piece.length;
    if (bytes > MAX_MESSAGE_BYTES) throw new Error(`the message has more than ${MAX_MESSAGE_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

interface Envelope {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** Publishes within a window, and counts what became of it. */
class Publisher {
  readonly #client: FailoverClient;
  readonly #envelope: Envelope;
  readonly #terminal: Terminal;
  #waiting = 0;
  #delivered = 0;
  /** How many were not delivered, by reason. */
  readonly #failures = new Map<string, number>();
  #wake: () => void = () => {};

  constructor(client: FailoverClient, envelope: Envelope, terminal: Terminal) {
    this.#client = client;
    this.#envelope = envelope;
    this.#terminal = terminal;
  }

  /** Hands a message to the outbox; resolves when there is room for the next. */
  async publish(payload: Buffer): Promise<void> {
    const { topic, qos, retain } = this.#envelope;
    this.#waiting += 1;
    this.#client.publish(topic, payload, { qos, retain }, (error) => {
      this.#waiting -= 1;
      if (!error) this.#delivered += 1;
      else this.#failures.set(error.message, (this.#failures.get(error.message) ?? 0) + 1);
      this.#terminal.progress(() => `${count(this.#delivered)} delivered`);
      this.#wake();
    });
    await this.#until(() => this.#waiting < WINDOW);
  }

  /** Every publish has been settled. */
  settled(): Promise<void> {
    return this.#until(() => this.#waiting === 0);
  }

  /** Writes the summary; returns the exit code. */
  async report(): Promise<number> {
    const failed = [...this.#failures.values()].reduce((sum, each) => sum + each, 0);
    const { topic, qos } = this.#envelope;
    const summary = { topic, qos, delivered: this.#delivered, failed };
    if (this.#terminal.quiet) await this.#terminal.json(summary);
    else {
      this.#terminal.note(`${count(this.#delivered)} delivered, ${count(failed)} not delivered`);
      for (const [reason, times] of this.#failures)
        this.#terminal.note(`${count(times)} × ${printable(reason)}`);
    }
    return failed === 0 ? 0 : 1;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
