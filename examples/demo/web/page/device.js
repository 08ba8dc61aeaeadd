/** One client of the fleet: a sensor that publishes readings at QoS 1, whatever happens to its broker. */

/** The library takes minutes over what a demo must show in seconds; everything else is its defaults. */
const HASTE = {
  discovery: { registry: { pollMs: 1_000 } },
  backoff: { maxMs: 3_000 },
  health: { probeMs: 300 },
  failback: { healthyMs: 1_500, windowMs: 2_500, dwellMs: 0 },
};
/** Milliseconds between readings: each device has a rhythm of its own. */
const FASTEST_MS = 240;
const RHYTHM_STEP_MS = 11;

/**
 * @typedef {import('mqtt-failover').FailoverEvents} Events
 * @typedef {object} Listener what the page wants to hear
 * @property {(device: Device, event: Events['failover'], waitedMs: number) => void} failedOver with the age of its oldest reading
 * @property {(device: Device, event: Events['move'], isReturn: boolean) => void} moved
 * @property {(device: Device, added: readonly string[]) => void} heardOf
 * @property {(device: Device) => void} stranded every broker has failed
 */

export class Device {
  /** @type {string} as the page calls it */
  name;
  /** Two digits. @type {string} */
  label;
  published = 0;
  acknowledged = 0;
  refused = 0;
  /** All readings up to this one are acknowledged. */
  complete = 0;
  /** Acknowledged out of order, while an earlier one waits. @type {Set<number>} */
  #ahead = new Set();
  #mqtt;
  #topic;

  /**
   * @param {number} number from 1
   * @param {{ seat: number, session: string, registry: string, listener: Listener }} world
   */
  constructor(number, { seat, session, registry, listener }) {
    this.label = `${number}`.padStart(2, '0');
    this.name = `sensor-${this.label}`;
    this.#topic = `fleet/${session}/${this.name}`;
    const clientId = seat === 1 ? this.name : `${this.name}-${seat}`;
    const mqtt = mqttFailover.connect(registry, { clientId, ...HASTE });
    this.#mqtt = mqtt;
    mqtt.on('failover', (event) => listener.failedOver(this, event, mqtt.status().outbox.oldestAgeMs));
    mqtt.on('move', (event) => listener.moved(this, event, false));
    mqtt.on('failback', (event) => listener.moved(this, event, true));
    mqtt.on('topology', ({ added }) => listener.heardOf(this, added));
    mqtt.on('error', () => listener.stranded(this));
    setInterval(() => this.#publish(), FASTEST_MS + number * RHYTHM_STEP_MS);
  }

  /** Where it is, where it belongs, and how much waits; brokers by id. */
  get now() {
    const { current, home, outbox } = this.#mqtt.status();
    return { on: this.#mqtt.connected ? current : null, home, waiting: outbox.messages };
  }

  #publish() {
    this.published += 1;
    const number = this.published;
    const celsius = 20 + Math.round(30 * Math.sin(number / 20)) / 10;
    this.#mqtt.publish(this.#topic, `${number} ${celsius}`, { qos: 1 }, (error) => {
      if (error) this.refused += 1;
      else this.#settle(number);
    });
  }

  /** @param {number} number */
  #settle(number) {
    this.acknowledged += 1;
    this.#ahead.add(number);
    while (this.#ahead.delete(this.complete + 1)) this.complete += 1;
  }
}
