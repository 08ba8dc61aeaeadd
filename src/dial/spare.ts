/** An open transport that waits for its turn: nobody else listens to it until CONNECT is sent. */
import type { Dialed } from './dialer.js';

/** Watches a transport between its dial and its use, so that its end is neither missed nor an uncaught error. */
export class Spare {
  readonly dialed: Dialed;
  #broken = false;

  constructor(dialed: Dialed) {
    this.dialed = dialed;
    const broken = () => {
      this.#broken = true;
    };
    dialed.transport.on('error', broken);
    dialed.transport.on('close', broken);
  }

  /** Whether it has ended already. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /** Gives it up. */
  discard(): void {
    this.dialed.transport.destroy();
  }
}
