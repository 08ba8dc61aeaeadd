/** What becomes of a message when the broker has answered it. */
import type { Packet } from 'mqtt';
import { FailoverError } from '../errors.js';
import type { EventSink } from '../events.js';
import { type Message, settle } from './message.js';
import type { Outbox } from './outbox.js';
import type { Replayer } from './replayer.js';
import { QUOTA_EXCEEDED, type Retries } from './retries.js';

/** PUBCOMP: the broker has done with the id of a resent PUBREL, so it has the message [MQTT 5.0 §3.7.2.1]. */
const PACKET_ID_NOT_FOUND = 0x92;

export interface AnswersDeps {
  readonly outbox: Pick<Outbox, 'putBack'>;
  readonly retries: Retries;
  readonly events: EventSink;
}

/** Settles what is delivered or refused for good, and publishes again, as a new message, what is refused for now (R71). */
export class Answers {
  readonly #deps: AnswersDeps;
  readonly #replayer: Pick<Replayer, 'slowDown' | 'wake'>;

  constructor(deps: AnswersDeps, replayer: Pick<Replayer, 'slowDown' | 'wake'>) {
    this.#deps = deps;
    this.#replayer = replayer;
  }

  /** @param packet - PUBACK, a final PUBREC, or PUBCOMP; none when MQTT.js could not send. */
  take(message: Message, error: Error | undefined, packet: Packet | undefined): void {
    const { code } = (error ?? {}) as { code?: unknown };
    if (!error || (packet?.cmd === 'pubcomp' && code === PACKET_ID_NOT_FOUND)) {
      settle(message, undefined, packet);
      return;
    }
    if (code === QUOTA_EXCEEDED) this.#replayer.slowDown();
    if (this.#deps.retries.take(message, code, (again) => this.#publishAgain(again))) return;
    settle(message, error, packet);
    this.#report(message, error);
  }

  #publishAgain(message: Message): void {
    this.#deps.outbox.putBack([message]);
    this.#replayer.wake();
  }

  #report({ topic, qos }: Message, cause: Error): void {
    const { code } = cause as { code?: unknown };
    const error = new FailoverError('ERR_REFUSED', `The broker refused the message: ${cause.message}`, {
      cause,
      ...(typeof code === 'number' ? { reasonCode: code } : {}),
    });
    this.#deps.events.emit('dropped', { topic, qos, reason: 'rejected', error });
  }
}
