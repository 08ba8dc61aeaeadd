/** The books: what the clients published, and whether the brokers have what they acknowledged. */

/** @typedef {import('./device.js').Device} Device */

export class Books {
  /** @type {readonly Device[]} */
  #devices;
  /** Acknowledged, and not there when we asked. */
  #missing = 0;

  /** @param {readonly Device[]} devices */
  constructor(devices) {
    this.#devices = devices;
  }

  /**
   * Compares both sides. What is acknowledged before the question must be in the answer.
   *
   * @template {{ arrived: Record<string, number> }} Answer
   * @param {() => Promise<Answer>} ask
   * @returns {Promise<Answer>}
   */
  async check(ask) {
    const acknowledged = this.#devices.map(({ name, complete }) => ({ name, complete }));
    const answer = await ask();
    this.#missing = acknowledged.reduce(
      (sum, { name, complete }) => sum + Math.max(0, complete - (answer.arrived[name] ?? 0)),
      0,
    );
    return answer;
  }

  get totals() {
    const published = this.#sum(({ published }) => published);
    const acknowledged = this.#sum(({ acknowledged }) => acknowledged);
    const refused = this.#sum(({ refused }) => refused);
    return {
      published,
      acknowledged,
      waiting: published - acknowledged - refused,
      lost: this.#missing + refused,
    };
  }

  /** @param {(device: Device) => number} of */
  #sum(of) {
    return this.#devices.reduce((sum, device) => sum + of(device), 0);
  }
}
