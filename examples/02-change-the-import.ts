/**
 * Code as it is written for MQTT.js: only the import line is another one, and the configured URL names three hosts.
 *
 *     node --import tsx examples/02-change-the-import.ts [url …]
 *
 * Prints:
 *
 *     connected
 *     presence: Hello mqtt
 *     connected
 *     presence: Hello again
 */
// Was: import mqtt from 'mqtt';
import mqtt from 'mqtt-failover';
import { useBrokers } from './brokers.js';

const brokers = await useBrokers();
// mqtt://127.0.0.1:40001,127.0.0.1:40002,127.0.0.1:40003
const url = brokers.urls.join(',').replaceAll(',mqtt://', ',');

const client = mqtt.connect(url);

client.on('connect', () => console.log('connected'));

client.subscribe('presence', (error) => {
  if (!error) client.publish('presence', 'Hello mqtt');
});

client.on('message', async (topic, message) => {
  console.log(`${topic}: ${message.toString()}`);
  if (message.toString() === 'Hello again') {
    client.end(() => brokers.stop());
    return;
  }
  // Nothing below would be in your code: it is the failure that MQTT.js alone does not survive.
  client.once('connect', () => client.publish('presence', 'Hello again'));
  await brokers.kill(client.status().current);
});
