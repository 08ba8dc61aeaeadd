/** A network without sockets: every endpoint answers a dial as the test says, on the virtual clock. */
import { EventEmitter } from 'node:events';
import { createEndpoint, type Endpoint, type EndpointInit } from '../../../src/endpoint.js';
import type {
  Clock,
  DialTarget,
  HostAddress,
  Network,
  Timer,
  Transport,
  TransportSink,
} from '../../../src/platform/ports.js';

/** An open connection that remembers what was written to it. */
export class FakeTransport extends EventEmitter implements Transport {
  readonly written: string[] = [];
  /** What was called, in order. */
  readonly calls: string[] = [];
  destroyed = false;
  closed = false;
  /** False: the peer never closes its side after our end. */
  answersEnd = true;
  /** What `write` returns. */
  writable = true;
  #sink: TransportSink | undefined;

  write(chunk: Uint8Array | string): boolean {
    this.written.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    return this.writable;
  }

  cork(): void {
    this.calls.push('cork');
  }

  uncork(): void {
    this.calls.push('uncork');
  }

  end(): void {
    this.calls.push('end');
    if (this.answersEnd) this.hangUp();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.calls.push('destroy');
    this.destroyed = true;
    this.hangUp();
  }

  pipe(sink: TransportSink): void {
    this.#sink = sink;
  }

  /** The peer sends. */
  receive(chunk: string): void {
    this.#sink?.write(chunk);
  }

  /** The connection breaks, for `error` if there is one. */
  hangUp(error?: Error): void {
    queueMicrotask(() => {
      if (this.closed) return;
      this.closed = true;
      this.destroyed = true;
      if (error) this.emit('error', error);
      this.emit('close');
    });
  }
}

/** What a dial of an endpoint comes to. `deaf` ones do not notice that they were aborted. */
export type DialAnswer =
  | 'open'
  | 'silent'
  | Error
  | { readonly afterMs: number; readonly gives: 'open' | Error; readonly deaf?: boolean };

/** One dial as the network saw it. */
export interface Dial {
  /** The endpoint's id, with `/` and the address where there are several. */
  readonly id: string;
  /** Milliseconds since the network was made. */
  readonly at: number;
  aborted: boolean;
  transport: FakeTransport | undefined;
}

export class FakeNetwork implements Network {
  readonly schemes: Network['schemes'] = new Set(['mqtt', 'mqtts', 'ws', 'wss'] as const);
  readonly dials: Dial[] = [];
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #answers = new Map<string, DialAnswer>();
  readonly #addresses = new Map<string, readonly HostAddress[] | Error>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** The host of endpoint `id` has these addresses, or cannot be resolved; each answers as `id/address`. */
  host(id: string, addresses: readonly string[] | Error): void {
    const entries =
      addresses instanceof Error
        ? addresses
        : addresses.map((address): HostAddress => ({ address, family: address.includes(':') ? 6 : 4 }));
    this.#addresses.set(id, entries);
  }

  /** From now on; endpoints that were not told open at once. */
  answer(id: string, answer: DialAnswer): void {
    this.#answers.set(id, answer);
  }

  /** Dials as `id@milliseconds`. */
  get log(): string[] {
    return this.dials.map(({ id, at }) => `${id}@${at}`);
  }

  /** Ids of the transports that are open. */
  get openIds(): string[] {
    return this.dials.filter(({ transport }) => transport && !transport.destroyed).map(({ id }) => id);
  }

  async resolve({ endpoint }: DialTarget): Promise<readonly HostAddress[] | undefined> {
    const found = this.#addresses.get(endpoint.id);
    if (found instanceof Error) throw found;
    return found;
  }

  open({ endpoint }: DialTarget, signal: AbortSignal, address?: HostAddress): Promise<Transport> {
    const id = address ? `${endpoint.id}/${address.address}` : endpoint.id;
    const dial: Dial = {
      id,
      at: this.#clock.now() - this.#startedAt,
      aborted: false,
      transport: undefined,
    };
    this.dials.push(dial);
    const answer = this.#answers.get(id) ?? 'open';
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      let timer: Timer | undefined;
      const give = (outcome: 'open' | Error) => {
        if (outcome instanceof Error) {
          reject(outcome);
          return;
        }
        dial.transport = new FakeTransport();
        resolve(dial.transport);
      };
      signal.addEventListener('abort', () => {
        dial.aborted = true;
        if (typeof answer === 'object' && 'deaf' in answer && answer.deaf) return;
        if (timer) this.#clock.clearTimeout(timer);
        reject(signal.reason);
      });
      if (answer === 'silent') return;
      if (answer === 'open' || answer instanceof Error) give(answer);
      else timer = this.#clock.setTimeout(() => give(answer.gives), answer.afterMs);
    });
  }
}

/** An endpoint with the id `id` at a host of that name. */
export function endpoint(id: string, init: Partial<EndpointInit> = {}): Endpoint {
  return createEndpoint({ scheme: 'mqtt', authority: `${id}.test`, id, ...init }, 'test');
}
