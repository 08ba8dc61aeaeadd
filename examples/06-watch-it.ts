/**
 * What an operator wants to know: events as they happen, and two snapshots that are plain JSON without secrets.
 *
 *     node --import tsx examples/06-watch-it.ts [url …]
 *
 * Prints, with other ports and numbers:
 *
 *     state     discovering → connecting: connect() was called
 *     state     connecting → connected: accepted by 127.0.0.1:40002
 *     health    127.0.0.1:40002 is suspect: The connection to 127.0.0.1:40002 ended: …
 *     state     connected → backoff: …
 *     failover  127.0.0.1:40002 → 127.0.0.1:40001 after 87 ms: The connection to 127.0.0.1:40002 ended: …
 *     explain   1. 127.0.0.1:40002 eligible=true: …
 *     explain   sensor-18 belongs on 127.0.0.1:40001
 *     status    {"state":"connected","clientId":"sensor-17","current":"127.0.0.1:40001",…}
 */
import { once } from 'node:events';
import { connect } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
const client = connect(brokers.urls, { clientId: 'sensor-17' });

client.on('state', ({ from, to, reason }) => console.log(`state     ${from} → ${to}: ${reason}`));
client.on('health', ({ endpoint, state, reason }) => {
  console.log(`health    ${endpoint} is ${state}: ${reason}`);
});
client.on('failover', ({ from, to, offlineMs, reason }) => {
  console.log(`failover  ${from} → ${to} after ${Math.round(offlineMs)} ms: ${reason}`);
});

await once(client, 'connect');
await brokers.kill(client.status().current);
await once(client, 'connect');

// Why each endpoint is or is not eligible now; with another id, where that client belongs.
for (const { rank, id, eligible, reason } of client.explain()) {
  console.log(`explain   ${rank + 1}. ${id} eligible=${eligible}: ${reason}`);
}
console.log(`explain   sensor-18 belongs on ${client.explain('sensor-18')[0]?.id}`);
console.log(`status    ${JSON.stringify(client.status())}`);

await client.endAsync();
await brokers.stop();
