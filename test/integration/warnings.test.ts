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

it('does not connect when a listener of the warning ends it', async () => {
  await using broker = await scriptedBroker();
  await using device = client([broker.url], { reconnectPeriod: 1_000 });
  device.on('warning', () => device.end());
  await once(device, 'end');
  // A dial that was begun would have got here.
  await using other = client([broker.url]);
  await once(other, 'connect');
  assert.deepEqual([device.status().state, broker.connects], ['closed', 1]);
});

it('warns, too, when reconnect() is what starts the client', async () => {
  await using broker = await scriptedBroker();
  await using device = client([broker.url], { manualConnect: true, reconnectPeriod: 1_000 });
  const warnings = collect(device, 'warning');
  device.reconnect();
  await once(device, 'connect');
  assert.equal(warnings.length, 1);
});
