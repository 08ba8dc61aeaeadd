/**
 * Which of the things that we sent ends connections: "poison", which would otherwise walk through the cluster (R92).
 *
 * Brokers rarely say so: MQTT 3.1.1 knows no refusal of a publish but to close the connection. What is on the wire
 * unanswered when a connection ends in that way gets a strike; with two it is sent alone; a third one, alone, is proof.
 */
import type { FailoverError } from '../errors.js';
import { classify } from '../health/outcomes.js';

/** Milliseconds after sending in which something counts as a possible reason for the end of its connection. */
export const CAUSE_WINDOW_MS = 2_000;
const SUSPECT = 2;
const PROVEN = 3;
/** Suspects that may cost a round trip each; more of them are rather the work of two crashes in a row. */
const FEW = 8;

/** Closes of a WebSocket that say as little as the end of a TCP connection. */
const WORDLESS_CLOSES: ReadonlySet<unknown> = new Set([1000, 1005, 1006]);
/** Ends of a TCP connection that the network brings about, and no broker. */
const NETWORK_LOSSES: ReadonlySet<unknown> = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
]);

/** Whether a link that ended so may have been ended over something that we sent. Our own deadlines never are. */
export function mayBeOurDoing({ outcome, cause }: FailoverError): boolean {
  if (!outcome) return false;
  const { kind, code } = outcome;
  if (kind === 'link') return code === 'closed' && !NETWORK_LOSSES.has((cause as { code?: unknown })?.code);
  if (kind === 'websocket' && WORDLESS_CLOSES.has(code)) return true;
  return classify(outcome) === 'operation';
}

/** What the end of a link says about what was on it. */
export interface Judgement<T> {
  /** Something is suspected or proven: the endpoint is not to blame. */
  readonly suspected: boolean;
  /** What is proven to end connections. */
  readonly culprit: T | undefined;
}

/** Counts strikes. Holds nothing that has been answered. */
export class Suspects<T extends object> {
  readonly #isOpen: (item: T) => boolean;
  #strikes = new WeakMap<T, number>();
  readonly #suspects = new Set<T>();
  /** The first that the last link left without any answer: brokers answer in the order of sending. */
  #likeliest: T | undefined;
  /** Those that once went free with the likeliest of them. */
  readonly #released = new WeakSet<T>();

  /** @param isOpen - Whether an item still waits to be sent or answered. */
  constructor(isOpen: (item: T) => boolean) {
    this.#isOpen = isOpen;
  }

  /** Whether something must be sent alone. */
  get any(): boolean {
    for (const item of this.#suspects) {
      if (this.#isOpen(item)) return true;
      this.acquit(item);
    }
    return false;
  }

  /** Whether `item` must be sent alone. */
  has(item: T): boolean {
    return this.#suspects.has(item);
  }

  /** `item` has been guilty before: one more strike proves it again. */
  suspect(item: T): void {
    this.#strikes.set(item, SUSPECT);
    this.#suspects.add(item);
  }

  /** `item` was answered, or its link outlived it: it did no harm. */
  acquit(item: T): void {
    this.#suspects.delete(item);
    this.#strikes.delete(item);
  }

  /**
   * `item` was sent alone and did no harm. If it was the likeliest of many they go free with it, once: when another link
   * ends over them, they are tried one by one.
   */
  withstood(item: T): void {
    this.acquit(item);
    const others = [...this.#suspects].filter(this.#isOpen);
    const areMany = others.length >= FEW && !others.some((other) => this.#released.has(other));
    if (item !== this.#likeliest || !areMany) return;
    this.#suspects.clear();
    for (const other of others) {
      this.#released.add(other);
      this.#strikes.set(other, SUSPECT - 1);
    }
  }

  /**
   * A link ended in a way that something we sent can bring about.
   *
   * @param onTheWire - What had been sent lately and was not answered, in the order of sending.
   * @param likeliest - The first of it without any answer, where an answer has more than one part.
   */
  linkEnded(onTheWire: readonly T[], likeliest = onTheWire[0]): Judgement<T> {
    this.#likeliest = likeliest;
    let suspected = false;
    let culprit: T | undefined;
    for (const item of onTheWire) {
      const strikes = (this.#strikes.get(item) ?? 0) + 1;
      this.#strikes.set(item, strikes);
      if (strikes >= SUSPECT) {
        suspected = true;
        this.#suspects.add(item);
      }
      if (strikes >= PROVEN && onTheWire.length === 1) culprit = item;
    }
    // What fell under suspicion in its company is cleared with it.
    if (culprit) {
      this.#strikes = new WeakMap();
      this.#suspects.clear();
    }
    return { suspected, culprit };
  }
}
