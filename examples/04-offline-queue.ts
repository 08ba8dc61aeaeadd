/**
 * What happens to publishes while there is no connection: they wait, within bounds, and none disappears silently.
 *
 *     node --import tsx examples/04-offline-queue.ts [url …]
 *
 * Prints:
 *
 *     queued reading 1
 *     …
 *     dropped: plant/level (overflow)
 *     reading 1 failed: ERR_OVERFLOW
 *     outbox: 3 messages, 54 bytes
 *     connecting now
 *     reading 3 acknowledged
 *     reading 4 acknowledged
 *     reading 5 acknowledged
 */
import { connect, isFailoverError } from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
const client = connect(brokers.urls, {
  clientId: 'sensor-17',
  manualConnect: true, // offline until connect() is called
  outbox: {
    maxMessages: 3, // default 10 000
    overflow: 'drop-oldest', // or 'reject-new' (default), 'drop-oldest-qos0', 'latest-per-topic'
    maxAgeMs: 60_000, // default: no limit
  },
});
client.on('dropped', ({ topic, reason }) => console.log(`dropped: ${topic} (${reason})`));

const readings = [1, 2, 3, 4, 5].map(async (n) => {
  console.log(`queued reading ${n}`);
  try {
    await client.publishAsync('plant/level', `level ${n}`, { qos: 1 });
    console.log(`reading ${n} acknowledged`);
  } catch (error) {
    console.log(`reading ${n} failed: ${isFailoverError(error) ? error.code : error}`);
  }
});
await readings[1]; // the second one that had to go

const { messages, bytes } = client.status().outbox;
console.log(`outbox: ${messages} messages, ${bytes} bytes`);
console.log('connecting now');
client.connect();
await Promise.all(readings); // every publish settles exactly once

await client.endAsync();
await brokers.stop();
