// Brokers that send clients to one another: followed in the list, out of it where that is allowed, never for ever (R93–R95).
// World: scripted MQTT 5 brokers on 127.0.0.1 and 127.0.0.2. Real: sockets.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailoverEvents } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { client } from './world.js';

const USE_ANOTHER = 0x9c;
const MOVED = 0x9d;

/** A broker that answers CONNECT with a redirect. */
function sendsAway(code: number, reference: () => string | undefined): Promise<ScriptedBroker> {
  return scriptedBroker(({ cmd }, connection) => {
    if (cmd !== 'connect') return;
    const serverReference = reference();
    const properties = serverReference === undefined ? {} : { serverReference };
    connection.send({ cmd: 'connack', sessionPresent: false, reasonCode: code, properties });
    connection.end();
    return true;
  });
}

const idOf = ({ port }: ScriptedBroker) => `127.0.0.1:${port}`;

describe('a redirect', () => {
  for (const code of [USE_ANOTHER, MOVED]) {
    it(`in CONNACK 0x${code.toString(16)} leads to the named endpoint, whatever its rank`, async () => {
      await using third = await scriptedBroker();
      await using second = await scriptedBroker();
      await using first = await sendsAway(code, () => idOf(third));
      await using device = client([first.url, second.url, third.url], {
        clientId: 'device',
        protocolVersion: 5,
      });
      const redirects = collect<FailoverEvents['redirect']>(device, 'redirect');
      await once(device, 'connect');
      assert.deepEqual([device.status().current, second.connects], [idOf(third), 0]);
      assert.deepEqual(redirects, [
        { from: idOf(first), to: idOf(third), code, reason: 'the broker names it' },
      ]);
      assert.equal(device.status().endpoints[0]?.state, 'ejected');
    });
  }

  it('in DISCONNECT moves a live client, with what it has in flight', async () => {
    await using third = await scriptedBroker();
    await using second = await scriptedBroker();
    await using first = await scriptedBroker(({ cmd }, connection) => {
      if (cmd !== 'publish') return;
      connection.send({
        cmd: 'disconnect',
        reasonCode: USE_ANOTHER,
        properties: { serverReference: idOf(third) },
      });
      return true;
    });
    await using device = client([first.url, second.url, third.url], {
      clientId: 'device',
      protocolVersion: 5,
    });
    await once(device, 'connect');
    await device.publishAsync('readings', '1', { qos: 1 });
    assert.deepEqual([device.status().current, second.connects], [idOf(third), 0]);
    assert.deepEqual(
      third.packets('publish').map(({ payload }) => `${payload}`),
      ['1'],
    );
  });

  it('keeps our own port and path where the broker names another listener', async () => {
    await using second = await scriptedBroker(undefined, { ws: true });
    await using first = await scriptedBroker(
      ({ cmd }, connection) => {
        if (cmd !== 'connect') return;
        const properties = { serverReference: 'localhost:1883' };
        connection.send({ cmd: 'connack', sessionPresent: false, reasonCode: USE_ANOTHER, properties });
        connection.end();
        return true;
      },
      { ws: true },
    );
    const list = [`ws://127.0.0.1:${first.port}/mqtt`, `ws://localhost:${second.port}/mqtt`];
    await using device = client(list, { clientId: 'device', protocolVersion: 5 });
    await once(device, 'connect');
    assert.equal(device.status().current, `localhost:${second.port}`);
  });

  for (const [name, reference] of [
    ['no host', undefined],
    ['a host that is not in the list', 'evil.example.com:1883'],
    ['a host that is not in the list, at an address of this machine', 'localhost:1883'],
    ['nonsense', `\u202e javascript:alert(1) ${'x'.repeat(5_000)}`],
    ['the word undefined', 'undefined'],
  ] as const) {
    it(`that names ${name} is not followed: the next by rank is`, async () => {
      await using second = await scriptedBroker();
      await using first = await sendsAway(USE_ANOTHER, () => reference);
      await using device = client([first.url, second.url], { clientId: 'device', protocolVersion: 5 });
      const redirects = collect<FailoverEvents['redirect']>(device, 'redirect');
      await once(device, 'connect');
      assert.deepEqual([device.status().current, redirects.map(({ to }) => to)], [idOf(second), [null]]);
    });
  }

  it('to a host outside the list is followed when discovery.allowedHosts names it', async () => {
    await using third = await scriptedBroker();
    await using second = await scriptedBroker();
    const target = `localhost:${third.port}`;
    await using first = await sendsAway(USE_ANOTHER, () => target);
    await using device = client([first.url, second.url], {
      clientId: 'device',
      protocolVersion: 5,
      discovery: { allowedHosts: ['localhost'] },
    });
    await once(device, 'connect');
    assert.deepEqual([device.status().current, second.connects], [target, 0]);
    assert.deepEqual(
      device.status().endpoints.map(({ id, state }) => [id, state]),
      [
        [idOf(first), 'ejected'],
        [idOf(second), 'healthy'],
        [target, 'healthy'],
      ],
    );
    assert.equal(device.explain().find(({ id }) => id === target)?.origin, 'redirect');
    await third.stop();
    await once(device, 'connect');
    assert.equal(device.status().current, idOf(second));
  });

  it('in a circle ends, and the client waits', async () => {
    const links: { a?: ScriptedBroker; b?: ScriptedBroker } = {};
    await using a = await sendsAway(USE_ANOTHER, () => links.b && idOf(links.b));
    await using b = await sendsAway(USE_ANOTHER, () => links.a && idOf(links.a));
    Object.assign(links, { a, b });
    await using device = client([a.url, b.url], {
      clientId: 'device',
      protocolVersion: 5,
      backoff: { minMs: 5_000 },
    });
    await once(device, 'error');
    await until(() => device.status().state === 'backoff', { what: 'the wait' });
    assert.deepEqual([a.connects, b.connects], [1, 1]);
  });
});
