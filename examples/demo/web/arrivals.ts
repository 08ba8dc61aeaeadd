/**
 * What has arrived at the brokers of the fleet page: the other half of the page's books.
 *
 * Every device numbers its readings from 1 in the topic `fleet/<session>/<device>`. A page asks up to which number all
 * have arrived, and compares that with what it had acknowledged before it asked.
 */

/** Pages whose readings are counted; of more, the oldest is forgotten. */
const MAX_SESSIONS = 16;
const MAX_DEVICES = 64;
/** Numbers that may be ahead of a gap. */
const MAX_AHEAD = 10_000;

const TOPIC = /^fleet\/([a-z0-9-]{1,32})\/([a-z0-9.-]{1,32})$/;
const NUMBER = /^\d{1,9}(?= |$)/;

interface Device {
  /** All numbers up to this one have arrived. */
  complete: number;
  readonly ahead: Set<number>;
}

/** Arrivals by session and device. Safe against anything that a client may send. */
export class Arrivals {
  readonly #sessions = new Map<string, Map<string, Device>>();

  /** A broker received this from a client. What is not a reading is ignored. */
  record(topic: string, payload: string): void {
    const [, session = '', name = ''] = TOPIC.exec(topic) ?? [];
    const number = Number(NUMBER.exec(payload)?.[0]);
    const device = session && number > 0 ? this.#device(session, name) : undefined;
    if (!device || number <= device.complete || device.ahead.size >= MAX_AHEAD) return;
    device.ahead.add(number);
    while (device.ahead.delete(device.complete + 1)) device.complete += 1;
  }

  /** For each device of a session: the number up to which everything has arrived. */
  of(session: string): Readonly<Record<string, number>> {
    const devices = [...(this.#sessions.get(session) ?? [])];
    return Object.fromEntries(devices.map(([name, { complete }]) => [name, complete]));
  }

  #device(session: string, name: string): Device | undefined {
    let devices = this.#sessions.get(session);
    if (!devices) {
      devices = new Map();
      this.#sessions.set(session, devices);
      const [oldest] = this.#sessions.keys();
      if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    }
    const known = devices.get(name);
    if (known || devices.size >= MAX_DEVICES) return known;
    const device: Device = { complete: 0, ahead: new Set() };
    devices.set(name, device);
    return device;
  }
}
