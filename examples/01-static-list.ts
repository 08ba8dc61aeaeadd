/**
 * A list of brokers, and a publish that survives the loss of the one in use.
 *
 *     node --import tsx examples/01-static-list.ts [url …]
 *
 * Prints, with other ports:
 *
 *     connected to 127.0.0.1:40002
 *     21.5 acknowledged by 127.0.0.1:40002
 *     127.0.0.1:40002 is gone; publishing all the same
 *     moved from 127.0.0.1:40002 to 127.0.0.1:40001 in 71 ms
 *     21.7 acknowledged by 127.0.0.1:40001
 */
import { connectAsync } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
const client = await connectAsync(brokers.urls, { clientId: 'sensor-17' });
console.log('connected to', client.status().current);

await client.publishAsync('plant/temperature', '21.5', { qos: 1 });
console.log('21.5 acknowledged by', client.status().current);

client.on('failover', ({ from, to, offlineMs }) => {
  console.log(`moved from ${from} to ${to} in ${Math.round(offlineMs)} ms`);
});
const gone = client.status().current;
await brokers.kill(gone);
console.log(`${gone} is gone; publishing all the same`);

// Waits in the outbox until another broker has acknowledged it.
await client.publishAsync('plant/temperature', '21.7', { qos: 1 });
console.log('21.7 acknowledged by', client.status().current);

await client.endAsync();
await brokers.stop();
