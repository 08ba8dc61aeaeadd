// Warnings reach whoever listens when the client starts, once. World: one scripted broker.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { collect, once } from '../support/events.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client } from './world.js';

it('warns once: of a will that any polite goodbye of a broker would publish, of an option of MQTT.js', async () => {
  await using broker = await scriptedBroker();
  const will = { topic: 'gone', payload: Buffer.from('x'), qos: 1, retain: false } as const;
  await using device = client([broker.url], {
    ...{ clientId: 'device', protocolVersion: 5, will },
    reconnectPeriod: 1_000,
  });
  const warnings = collect<{ code: string }>(device, 'warning');
  await once(device, 'connect');
  device.reconnect();
  await once(device, 'connect');
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['MQTTJS_OPTION', 'WILL_WITHOUT_DELAY'],
  );
});
