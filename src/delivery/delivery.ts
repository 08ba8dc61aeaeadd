/** Everything that outlives a connection, told of connections by the supervisor. */

import type { Packet } from 'mqtt';
import type { LinkObserver } from '../connection/links.js';
import { FailoverError } from '../errors.js';
import type { ReceivedPublish } from '../events.js';
import type { Link } from '../session/link.js';
import type { Publisher } from './publisher.js';
import type { Subscriptions } from './subscriptions.js';

/** Keeps the order after CONNACK: in-flight publishes, then subscriptions, then what waited, then live traffic (R80). */
export class Delivery implements LinkObserver {
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;
  #link: Link | undefined;
  #links = 0;
  /** The session is not the first one: its retained messages may have been seen before. */
  #seenBefore = false;

  constructor(publisher: Publisher, subscriptions: Subscriptions) {
    this.publisher = publisher;
    this.subscriptions = subscriptions;
    publisher.onCaution((cautious) => subscriptions.hold(cautious));
  }

  linkUp(link: Link): void {
    this.#seenBefore = this.#links > 0 && !link.resumed;
    this.#links += 1;
    this.#link = link;
    this.publisher.linkUp(link, this.subscriptions.cautious);
    // A listener may have ended the client.
    if (this.#link !== link) return;
    this.subscriptions.linkUp(link, () => this.publisher.flow());
  }

  linkDown(end?: FailoverError): boolean {
    this.#link = undefined;
    const publishSuspected = this.publisher.linkDown(end);
    const requestSuspected = this.subscriptions.linkDown(end);
    return publishSuspected || requestSuspected;
  }

  /** MQTT.js received a packet and has not acted on it yet. Marks what restored subscriptions bring again (R120). */
  packetReceived(packet: Packet): void {
    if (this.#seenBefore && packet.cmd === 'publish' && packet.retain)
      Object.assign<Packet, Partial<ReceivedPublish>>(packet, { afterFailover: true });
  }

  quiesce(): Promise<boolean> {
    return this.publisher.quiesce();
  }

  resume(): void {
    this.publisher.flow();
  }

  /** Settles everything that is left, each with `ERR_ENDED`. */
  abandon(): void {
    this.#link = undefined;
    this.publisher.abandon();
    this.subscriptions.abandon(
      new FailoverError('ERR_ENDED', 'The client was ended before the broker answered'),
    );
  }
}
