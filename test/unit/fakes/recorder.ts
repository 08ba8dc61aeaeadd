/** Where the parts of a client report to in a test: a list of what happened, and a way to react to it at once. */
import type { EventSink, FailoverEvents } from '../../../src/events.js';

export class Recorder implements EventSink {
  /** Names of the events, in order. */
  readonly names: (keyof FailoverEvents)[] = [];
  /** Runs inside every `emit`, as a listener of the application does. */
  listener: (event: keyof FailoverEvents, payload: unknown) => void = () => {};
  readonly #payloads: unknown[] = [];

  emit<E extends keyof FailoverEvents>(event: E, payload: FailoverEvents[E]): void {
    this.names.push(event);
    this.#payloads.push(payload);
    this.listener(event, payload);
  }

  /** Payloads of one kind of event, in order. */
  of<E extends keyof FailoverEvents>(event: E): FailoverEvents[E][] {
    return this.#payloads.filter((_, i) => this.names[i] === event) as FailoverEvents[E][];
  }

  /** The states gone through, the first one included. */
  get states(): string[] {
    const changes = this.of('state');
    return changes.length === 0 ? [] : [changes[0]!.from, ...changes.map(({ to }) => to)];
  }
}
