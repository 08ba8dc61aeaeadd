/** What an application asks of a client whose engine is not there yet. */
import { callOut } from '../call-out.js';
import type { OutboxStatus } from '../status.js';
import type { ClientEngine } from './engine.js';

/** One call. */
export interface EarlyCall {
  readonly run: (engine: ClientEngine) => void;
  readonly fail: (error: Error) => void;
  /** Of a publish: what `status().outbox` counts. */
  readonly message?: { readonly bytes: number; readonly publishedAt: number };
}

/** Keeps calls in their order until they are handed over, or given up. */
export class EarlyCalls {
  readonly #calls: EarlyCall[] = [];
  #messages = 0;
  #bytes = 0;
  #onEmpty: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  outbox(now: number): OutboxStatus {
    const oldest = this.#calls.find(({ message }) => message)?.message;
    const oldestAgeMs = oldest ? now - oldest.publishedAt : 0;
    return { messages: this.#messages, bytes: this.#bytes, oldestAgeMs };
  }

  add(call: EarlyCall): void {
    this.#calls.push(call);
    if (!call.message) return;
    this.#messages += 1;
    this.#bytes += call.message.bytes;
  }

  /** Makes all calls, those too that are added meanwhile. */
  handOver(engine: ClientEngine): void {
    this.#takeEach(({ run }) => run(engine));
  }

  /** Gives all calls up. */
  fail(error: Error): void {
    this.#takeEach(({ fail }) => fail(error));
  }

  #takeEach(act: (call: EarlyCall) => void): void {
    for (let call = this.#calls.shift(); call; call = this.#calls.shift()) {
      if (call.message) {
        this.#messages -= 1;
        this.#bytes -= call.message.bytes;
      }
      callOut(() => act(call));
    }
    for (const tell of this.#onEmpty.splice(0)) tell();
  }

  /** Resolves when no call is left, or `signal` is aborted. */
  emptied(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (this.isEmpty || signal?.aborted) {
        resolve();
        return;
      }
      const done = () => {
        signal?.removeEventListener('abort', done);
        resolve();
      };
      signal?.addEventListener('abort', done);
      this.#onEmpty.push(done);
    });
  }
}
