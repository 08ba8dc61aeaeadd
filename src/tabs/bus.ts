/** Carries messages between the tabs of one client id, the own tab included. */
import type { Channel, Page } from '../platform/page.js';
import { type Outgoing, readMessage, type TabMessage } from './messages.js';

/** Who listens; in this order, so that a new leader is known before it is asked. */
export type BusListener = (message: TabMessage) => void;

/** One tab's end of the channel. */
export class Bus {
  /** This tab. */
  readonly id: string;
  readonly #channel: Channel;
  readonly #listeners = new Set<BusListener>();
  #closed = false;

  constructor(page: Page, name: string, id: string) {
    this.id = id;
    this.#channel = page.openChannel(name, (value) => {
      const message = readMessage(value);
      if (message && (message.to === undefined || message.to === id)) this.#deliver(message);
    });
  }

  listen(listener: BusListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To one tab, or to all, this one too. In order; what is for this tab comes after the present work. */
  post(outgoing: Outgoing): void {
    if (this.#closed) return;
    const message = { ...outgoing, from: this.id } as TabMessage;
    if (message.to !== this.id) this.#channel.post(message);
    if (message.to === undefined || message.to === this.id) queueMicrotask(() => this.#deliver(message));
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#channel.close();
  }

  #deliver(message: TabMessage): void {
    for (const listener of [...this.#listeners]) listener(message);
  }
}
