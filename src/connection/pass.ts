/** One run over the candidates: it ends with a link, or when all of them have failed. */
import { FailoverError } from '../errors.js';

/** What happened in a pass so far. */
export class Pass {
  readonly #failures = new Map<string, FailoverError>();
  /** The endpoint that has just failed as a link: it is tried last. */
  readonly shunned: string | undefined;
  /** Whether MQTT.js saw a connection in this pass, and so emits `close` itself. */
  sawConnection = false;

  constructor(shunned?: string) {
    this.shunned = shunned;
  }

  /** Whether an endpoint has failed in this pass already. */
  hasFailed(id: string): boolean {
    return this.#failures.has(id);
  }

  failed(id: string, error: FailoverError): void {
    this.#failures.set(id, error);
  }

  get failures(): number {
    return this.#failures.size;
  }

  /** One error that names each endpoint and its failure. */
  error(): FailoverError {
    if (this.#failures.size === 0) {
      const text = 'The endpoint list has no endpoint that this runtime can dial';
      return new FailoverError('ERR_NO_ENDPOINT', text, { retryable: true });
    }
    const errors = [...this.#failures.values()];
    return new FailoverError(
      'ERR_ALL_FAILED',
      `Every endpoint failed: ${errors.map((e) => e.message).join('; ')}`,
      {
        cause: new AggregateError(errors, `${errors.length} endpoints failed`),
        retryable: true,
      },
    );
  }
}
