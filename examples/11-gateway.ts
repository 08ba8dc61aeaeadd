/**
 * A gateway: a client for each device, in one process. Clients share what they find out about brokers.
 *
 *     node --import tsx examples/11-gateway.ts [url …]
 *
 * Prints, with other ports:
 *
 *     127.0.0.1:40002 is down already
 *     30 readings delivered for 30 devices
 *     32 dials: two devices found out for all that a broker is down
 *     15 devices on 127.0.0.1:40001
 *     15 devices on 127.0.0.1:40003
 */
import { connect, type FailoverClient, rank } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();

/** Clients of devices, made when a device is first heard of. */
const clients = new Map<string, FailoverClient>();

/** Every device is a client of its own: its own id, session and place among the brokers. */
function clientOf(device: string): FailoverClient {
  const known = clients.get(device);
  if (known) return known;
  const client = connect(brokers.urls, { clientId: device, outbox: { maxMessages: 100 } });
  clients.set(device, client);
  return client;
}

/** What the field bus says: here thirty devices, one after another. */
async function* readings(): AsyncGenerator<{ device: string; value: number }> {
  for (let n = 1; n <= 30; n += 1) yield { device: `meter-${n}`, value: n * n };
}

// The broker that the first device would take.
const [first] = rank(
  'meter-1',
  brokers.urls.map((url) => ({ id: new URL(url).host })),
);
await brokers.kill(first!.id);
console.log(`${first!.id} is down already`);

let delivered = 0;
for await (const { device, value } of readings()) {
  await clientOf(device).publishAsync(`meters/${device}`, String(value), { qos: 1 });
  delivered += 1;
}
console.log(`${delivered} readings delivered for ${clients.size} devices`);

const statuses = [...clients.values()].map((client) => client.status());
const dials = statuses.reduce((sum, { counters }) => sum + (counters.attempts ?? 0), 0);
console.log(`${dials} dials: two devices found out for all that a broker is down`);
for (const { id } of statuses[0]!.endpoints.filter((endpoint) => endpoint.id !== first!.id)) {
  console.log(`${statuses.filter(({ current }) => current === id).length} devices on ${id}`);
}

await Promise.all([...clients.values()].map((client) => client.drain()));
await brokers.stop();
