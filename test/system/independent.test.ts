// Independent brokers, away for long and home again: what home kept meanwhile is stale (hardest 15, R107).
// World: two mosquitto nodes that know nothing of each other, MQTT 5. Real: everything. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import mqtt from 'mqtt';
import { connectAsync, type FailoverOptions } from '../../src/index.js';
import { until } from '../support/events.js';
import { mosquittos } from '../support/mosquitto.js';

const STALE = 50;

/** What arrives from home after an absence, in which one filter was given up. */
async function afterAnAbsence(sessions: NonNullable<FailoverOptions['sessions']>): Promise<string[]> {
  await using brokers = await mosquittos(2);
  const [home, other] = brokers;
  assert.ok(home && other);
  const endpoints = [
    { url: home.url, id: 'home' },
    { url: other.url, id: 'other' },
  ];
  const client = await connectAsync(endpoints, {
    clientId: 'device-7',
    protocolVersion: 5,
    selection: 'ordered',
    clean: false,
    properties: { sessionExpiryInterval: 7_200 },
    sessions,
    failback: { mode: 'off' },
  });
  const backend = await mqtt.connectAsync(home.url);
  try {
    const seen: string[] = [];
    client.on('message', (_topic, payload) => seen.push(payload.toString()));
    await client.subscribeAsync(['commands/#', 'news/#'], { qos: 1 });
    // A move leaves the session at home as a fail-over does: nobody has ended it.
    await client.moveTo('other');
    await client.unsubscribeAsync('news/#');
    for (let n = 0; n < STALE; n += 1) await backend.publishAsync('commands/x', `stale ${n}`, { qos: 1 });
    await client.moveTo('home');
    // Subscriptions are restored by now: this answer comes after theirs.
    await client.subscribeAsync('fence', { qos: 1 });
    await backend.publishAsync('news/x', 'given up', { qos: 1 });
    await backend.publishAsync('commands/x', 'live', { qos: 1 });
    await backend.publishAsync('fence', 'end', { qos: 1 });
    await until(() => seen.includes('end'), { what: () => `the end of ${seen}` });
    return seen;
  } finally {
    await backend.endAsync(true);
    await client.endAsync();
  }
}

describe('back at a broker of its own sessions after an absence, a client', () => {
  it("of sessions: 'local' hears nothing old, and nothing that it gave up elsewhere", async () => {
    assert.deepEqual(await afterAnAbsence('local'), ['live', 'end']);
  });

  it("of sessions: 'shared' hears all that was kept: the test can tell", async () => {
    const seen = await afterAnAbsence('shared');
    assert.equal(seen.filter((text) => text.startsWith('stale')).length, STALE);
  });
});
