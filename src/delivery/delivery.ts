/** Everything that outlives a connection, told of connections by the supervisor. */

import type { LinkObserver } from '../connection/supervisor.js';
import { FailoverError } from '../errors.js';
import type { Link } from '../session/session.js';
import type { Publisher } from './publisher.js';
import type { Subscriptions } from './subscriptions.js';

/** Keeps the order after CONNACK: in-flight publishes, then subscriptions, then what waited, then live traffic (R80). */
export class Delivery implements LinkObserver {
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;

  constructor(publisher: Publisher, subscriptions: Subscriptions) {
    this.publisher = publisher;
    this.subscriptions = subscriptions;
  }

  linkUp({ resumed, receiveMaximum }: Link): void {
    this.publisher.linkUp({ resumed, receiveMaximum });
    this.subscriptions.linkUp(resumed, () => this.publisher.flow());
  }

  linkDown(): void {
    this.publisher.linkDown();
    this.subscriptions.linkDown();
  }

  quiesce(): Promise<boolean> {
    return this.publisher.quiesce();
  }

  resume(): void {
    this.publisher.flow();
  }

  /** Settles everything that is left, each with `ERR_ENDED`. */
  abandon(): void {
    this.publisher.abandon();
    this.subscriptions.abandon(
      new FailoverError('ERR_ENDED', 'The client was ended before the broker answered'),
    );
  }
}
