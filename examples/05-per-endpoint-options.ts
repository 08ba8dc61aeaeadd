/**
 * Brokers that differ: weight, priority and zone decide the order; credentials, path and TLS belong to one endpoint.
 *
 *     node --import tsx examples/05-per-endpoint-options.ts [url url url]
 *
 * Prints:
 *
 *     1. north  mqtt://127.0.0.1:40001      zone north  priority 0
 *     2. south  mqtt://127.0.0.1:40002      zone south  priority 0
 *     3. cloud  ws://127.0.0.1:40003/mqtt   zone -      priority 1
 *     connected to north
 *     connected to south
 *     connected to cloud
 */
import { connect } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers([
  { login: 'plant:tulip' },
  { login: 'plant:tulip' },
  { websocket: '/mqtt', login: 'guest:daisy' },
]);
const [north = '', south = '', cloud = ''] = brokers.urls;

const plant = { username: 'plant', password: 'tulip' };
const client = connect(
  [
    // `zone` below puts this one first. Of the clients without a zone it gets two in three.
    { id: 'north', url: north, zone: 'north', weight: 2, ...plant },
    { id: 'south', url: south, zone: 'south', weight: 1, ...plant },
    // A higher number is a later tier: only when nothing of tier 0 answers. Any MQTT.js option may follow.
    {
      ...{ id: 'cloud', url: cloud, priority: 1, username: 'guest', password: 'daisy' },
      wsOptions: { headers: { 'x-site': 'north' } },
    },
  ],
  { clientId: 'sensor-17', zone: 'north' },
);

client.once('connect', () => {
  for (const { rank, id, url, zone, priority } of client.status().endpoints) {
    console.log(`${rank + 1}. ${id}  ${url.padEnd(27)} zone ${(zone ?? '-').padEnd(6)} priority ${priority}`);
  }
});
client.on('connect', async () => {
  const { current, endpoints } = client.status();
  console.log(`connected to ${current}`);
  const url = endpoints.find(({ id }) => id === current)!.url;
  if (current !== 'cloud') await brokers.kill(new URL(url).host);
  else client.end(() => brokers.stop());
});
