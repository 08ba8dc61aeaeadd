/**
 * Discovery of your own: any async function that returns the list, asked again every `refreshMs`.
 *
 *     node --import tsx examples/03-own-discovery.ts [url …]
 *
 * Prints, with other ports:
 *
 *     topology: added one, two
 *     connected to two
 *     the inventory has a third broker now
 *     topology: added three
 *     still connected to two; known: two, three, one
 */
import { once } from 'node:events';
import { type BrokerSpec, connect } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
const names = ['one', 'two', 'three'];
// Whatever knows your brokers: a database, an HTTP endpoint, a file, the cloud's API.
const inventory: BrokerSpec[] = brokers.urls.slice(0, 2).map((url, i) => ({ id: names[i]!, url }));

const client = connect(async () => inventory, { clientId: 'sensor-17', discovery: { refreshMs: 1_000 } });
client.on('topology', ({ added, removed }) => {
  console.log(`topology: added ${added.join(', ')}${removed.length > 0 ? `, removed ${removed}` : ''}`);
});
// The last good list stays in use.
client.on('discovery-error', ({ error }) => console.log(error.message));

await once(client, 'connect');
console.log('connected to', client.status().current);

console.log('the inventory has a third broker now');
inventory.push({ id: 'three', url: brokers.urls[2]! });
await once(client, 'topology');

const { current, endpoints } = client.status();
console.log(`still connected to ${current}; known: ${endpoints.map(({ id }) => id).join(', ')}`);

await client.endAsync();
await brokers.stop();
