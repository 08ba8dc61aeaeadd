/**
 * The brokers tell of each other: one seed is enough, and the cluster grows without a word to the client.
 *
 *     node --import tsx examples/09-topology-topic.ts
 *
 * Prints, with other ports:
 *
 *     topology by static: added n1
 *     connected to n1, knows 1 broker
 *     topology by topic: added n2, n3
 *     knows 3 brokers now
 */
import { once } from 'node:events';
import { connect } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
const [seed = ''] = brokers.urls;
const topic = 'cluster/topology';

// The seed has the id that the document gives it: then it is the same endpoint, and nobody has to move.
const client = connect([{ url: seed, id: 'n1' }], { clientId: 'sensor-17', discovery: { topic } });
client.on('topology', ({ source, added }) => console.log(`topology by ${source}: added ${added.join(', ')}`));
await once(client, 'connect');
console.log(`connected to ${client.status().current}, knows 1 broker`);

// An operator, or a broker's plugin, writes the document that a registry would serve. Nobody else may.
const operator = connect([seed], { clientId: 'operator' });
const nodes = brokers.urls.map((url, at) => ({ id: `n${at + 1}`, urls: [url] }));
await operator.publishAsync(topic, JSON.stringify({ schema: 'mqtt-nodes/1', nodes }), {
  qos: 1,
  retain: true,
});
await once(client, 'topology');
console.log(`knows ${client.status().endpoints.length} brokers now`);

await operator.endAsync();
await client.endAsync();
await brokers.stop();
