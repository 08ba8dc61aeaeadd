/**
 * After end() nothing of the client is left: no socket, no timer, no worker.
 *
 * The world: a client is brought into each state it can be in, ended there, and what keeps this process open is
 * compared with what kept it open before the client was made.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BrokersInput, connect, type FailoverClient, type FailoverOptions } from '../../src/index.js';
import { blackhole } from '../support/blackhole.js';
import { once, until } from '../support/events.js';
import { expectNoNewHandles, openHandles } from '../support/handles.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { outcome, publishes, refuse, twice, within } from './world.js';

const SLOW: FailoverOptions = {
  selection: 'ordered',
  protocolVersion: 5,
  backoff: { minMs: 20_000, baseMs: 20_000 },
  outbox: { maxAgeMs: 60_000 },
};
const CLOSED = ['mqtt://127.0.0.1:1', 'mqtt://127.0.0.1:2'];

interface Scene extends AsyncDisposable {
  readonly brokers: BrokersInput;
  readonly options?: FailoverOptions;
  /** Resolves when the client is where it shall be ended. */
  reach(client: FailoverClient): Promise<unknown>;
}

const SCENES: Record<string, () => Promise<Scene>> = {
  idle: async () => ({
    brokers: CLOSED,
    options: { manualConnect: true },
    reach: async (client) => client.publish('t', '', { qos: 1 }),
    async [Symbol.asyncDispose]() {},
  }),
  'just made': async () => ({ brokers: CLOSED, reach: async () => {}, async [Symbol.asyncDispose]() {} }),
  discovering: async () => ({
    brokers: () => new Promise<string[]>(() => {}),
    reach: (client) => until(() => client.status().state === 'discovering'),
    async [Symbol.asyncDispose]() {},
  }),
  'opening a transport': async () => {
    const hole = await blackhole();
    return {
      brokers: [`mqtt://127.0.0.1:${hole.port}`, `ws://127.0.0.2:${hole.port}`],
      reach: (client) => until(() => client.status().state === 'connecting'),
      [Symbol.asyncDispose]: () => hole.close(),
    };
  },
  'waiting for CONNACK': async () => {
    const broker = await scriptedBroker((packet) => packet.cmd === 'connect');
    return {
      brokers: twice(broker),
      reach: () => broker.waitFor('connect'),
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  },
  connected: async () => {
    const broker = await scriptedBroker();
    return {
      brokers: twice(broker),
      reach: (client) => client.subscribeAsync('t'),
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  },
  'connected over WebSocket': async () => {
    const broker = await scriptedBroker(undefined, { ws: true });
    return {
      brokers: twice(broker),
      reach: (client) => client.publishAsync('t', '', { qos: 2 }),
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  },
  'connected, with a list that is refreshed': async () => {
    const broker = await scriptedBroker();
    return {
      brokers: async () => twice(broker),
      reach: (client) => once(client, 'connect'),
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  },
  'restoring subscriptions': async () => {
    const broker = await scriptedBroker((packet, { index }) => packet.cmd === 'subscribe' && index === 1);
    return {
      brokers: twice(broker),
      options: { backoff: { spreadMs: 0 } },
      reach: async (client) => {
        await client.subscribeAsync('t');
        broker.latest.reset();
        await broker.waitFor((packet, { index }) => packet.cmd === 'subscribe' && index === 1);
      },
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  },
  'in backoff': async () => ({
    brokers: CLOSED,
    reach: (client) => until(() => client.status().state === 'backoff'),
    async [Symbol.asyncDispose]() {},
  }),
  'in auth-wait': async () => {
    const broker = await scriptedBroker((packet, connection) =>
      packet.cmd === 'connect' ? refuse(connection, 0x87) : false,
    );
    return {
      brokers: twice(broker),
      reach: (client) => until(() => client.status().state === 'auth-wait'),
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  },
  failed: async () => ({
    brokers: CLOSED,
    options: { reconnectPeriod: 0 },
    reach: (client) => until(() => client.status().state === 'failed'),
    async [Symbol.asyncDispose]() {},
  }),
};

describe('no socket, timer or worker outlives', () => {
  for (const [name, make] of Object.entries(SCENES)) {
    for (const force of [false, true]) {
      test(`a client that is ended${force ? ' by force' : ''} while ${name}`, async () => {
        await using scene = await make();
        const before = openHandles();
        const client = connect(scene.brokers, { ...SLOW, ...scene.options });
        await scene.reach(client);
        await within(client.endAsync(force), 'end()');
        await expectNoNewHandles(before);
        assert.equal(client.status().state, 'closed');
      });
    }
  }

  test('a client that is ended with publishes that nobody acknowledges', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'publish');
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    await once(client, 'connect');
    const sent = outcome(client.publishAsync('t', '', { qos: 1 }));
    await until(() => publishes(broker).length === 1);
    await client.endAsync(true);
    assert.equal(await sent, 'ERR_ENDED');
    await expectNoNewHandles(before);
  });

  test('a client that is ended twice', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    await once(client, 'connect');
    await within(Promise.all([client.endAsync(), client.endAsync(true)]), 'both ends');
    await within(client.endAsync(), 'a third end');
    await expectNoNewHandles(before);
  });

  test('a client that is ended in its connect listener', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    await new Promise<void>((done) => client.once('connect', () => client.end(() => done())));
    await expectNoNewHandles(before);
    assert.equal(broker.connects, 1);
  });

  for (const event of ['error', 'close', 'state', 'health'] as const) {
    test(`a client that is ended in its ${event} listener`, async () => {
      const before = openHandles();
      const client = connect(CLOSED, SLOW);
      await within(
        new Promise<void>((done) => client.once(event as 'close', () => client.end(() => done()))),
        `end() in ${event}`,
      );
      await expectNoNewHandles(before);
      assert.equal(client.status().state, 'closed');
    });
  }

  test('a client that is ended when its first endpoint has failed, while the second would answer', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const client = connect(['mqtt://127.0.0.1:1', broker.url], SLOW);
    await within(
      new Promise<void>((done) => client.once('health', () => client.end(() => done()))),
      'end() in health',
    );
    await expectNoNewHandles(before);
    assert.equal(broker.connections.length, 0);
  });

  test('a client that is ended in its offline listener', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    await once(client, 'connect');
    const ended = new Promise<void>((done) => client.once('offline', () => client.end(() => done())));
    broker.latest.reset();
    await within(ended, 'end() in offline');
    await expectNoNewHandles(before);
    assert.equal(broker.connects, 1);
  });

  test('a client that is drained', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    client.publish('t', '', { qos: 2 });
    await client.drain();
    await expectNoNewHandles(before);
  });

  test('a client that is ended, connected again, and ended again', async () => {
    await using broker = await scriptedBroker();
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    await once(client, 'connect');
    await client.endAsync();
    client.reconnect();
    await once(client, 'connect');
    await client.endAsync();
    await expectNoNewHandles(before);
  });

  test('a broker that takes our end and never closes its side', async () => {
    await using broker = await scriptedBroker((packet) => packet.cmd === 'disconnect');
    const before = openHandles();
    const client = connect(twice(broker), SLOW);
    await once(client, 'connect');
    broker.latest.pause();
    await within(client.endAsync(), 'end()');
    broker.latest.destroy();
    await expectNoNewHandles(before);
  });
});
