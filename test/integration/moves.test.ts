// Planned moves: by hand, back home, and away from an endpoint that leaves the list. They must cost nothing.
// World: three in-process aedes brokers, and scripted ones where the wire matters. Real: sockets, time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BrokersInput, FailoverClient, FailoverEvents } from '../../src/index.js';
import { type AedesBroker, type AedesCluster, aedesCluster } from '../support/aedes-cluster.js';
import { collect, once, until } from '../support/events.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client, QUICK } from './world.js';

const WILL = { topic: 'wills', payload: Buffer.from('gone'), qos: 1, retain: false } as const;
const HASTE = {
  health: { probeMs: 100 },
  failback: { healthyMs: 200, probes: 2, windowMs: 200, dwellMs: 0 },
} as const;

function brokerOf(device: FailoverClient, cluster: AedesCluster): AedesBroker {
  const broker = cluster.brokers.find(({ url }) => url.endsWith(`${device.status().current}`));
  assert.ok(broker);
  return broker;
}

/** Publishes one QoS 1 message after another, two in the air, until told to stop. */
function stream(device: FailoverClient): { stop(): Promise<number> } {
  let sent = 0;
  let stopped = false;
  const lane = async () => {
    while (!stopped) {
      sent += 1;
      await device.publishAsync('readings', `${sent}`, { qos: 1 });
    }
  };
  const lanes = [lane(), lane()];
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(lanes);
      return sent;
    },
  };
}

function missing(sent: number, cluster: AedesCluster): number[] {
  const arrived = new Set(cluster.publishes.map(({ payload }) => Number(payload)));
  return Array.from({ length: sent }, (_, n) => n + 1).filter((n) => !arrived.has(n));
}

describe('moveTo', () => {
  it('moves under load again and again without a loss, a duplicate or a will', async () => {
    await using cluster = await aedesCluster(3);
    const wills: string[] = [];
    for (const { aedes } of cluster.brokers) {
      aedes.on('publish', ({ topic }) => {
        if (topic === 'wills') wills.push(topic);
      });
    }
    await using device = client(cluster.urls, { clientId: 'device', will: WILL, failback: { mode: 'off' } });
    const moves = collect<FailoverEvents['move']>(device, 'move');
    const failovers = collect(device, 'failover');
    await once(device, 'connect');
    await device.subscribeAsync('commands', { qos: 1 });
    const readings = stream(device);
    const ids = device.status().endpoints.map(({ id }) => id);
    for (let n = 1; n <= 60; n += 1) await device.moveTo(`${ids[n % 3]}`);
    const sent = await readings.stop();
    assert.deepEqual([moves.length, failovers, wills, missing(sent, cluster)], [60, [], [], []]);
    assert.equal(cluster.publishes.length, sent);
    assert.deepEqual([...brokerOf(device, cluster).subscribedTopics('device').keys()], ['commands']);
  });

  it('has left the old broker before it sends CONNECT to the new one', async () => {
    const order: string[] = [];
    await using a = await scriptedBroker(
      ({ cmd }) => void (cmd === 'disconnect' && order.push('a: disconnect')),
    );
    await using b = await scriptedBroker(({ cmd }) => void (cmd === 'connect' && order.push('b: connect')));
    await using device = client([a.url, b.url], { clientId: 'device' });
    await once(device, 'connect');
    await device.moveTo(`127.0.0.1:${b.port}`);
    assert.deepEqual(order, ['a: disconnect', 'b: connect']);
    assert.equal(device.status().current, `127.0.0.1:${b.port}`);
  });

  it('has nothing to do for the endpoint that it is on', async () => {
    await using broker = await scriptedBroker();
    await using device = client([broker.url], { clientId: 'device', failback: {} });
    await once(device, 'connect');
    await device.moveTo(`127.0.0.1:${broker.port}`);
    assert.deepEqual([broker.connects, device.status().state], [1, 'connected']);
  });

  it('stays where it is when the other endpoint cannot be reached, and says why', async () => {
    await using cluster = await aedesCluster(2);
    await using device = client(cluster.urls, { clientId: 'device' });
    const states = collect<FailoverEvents['state']>(device, 'state');
    await once(device, 'connect');
    const [home, other] = device.status().endpoints.map(({ id }) => id);
    await cluster.at(1)?.kill();
    const closes = collect(device, 'close');
    await assert.rejects(device.moveTo(`${other}`), { code: 'ERR_TRANSPORT', endpoint: other });
    await device.publishAsync('readings', '1', { qos: 1 });
    assert.deepEqual([device.status().current, closes], [home, []]);
    assert.deepEqual(
      states.slice(-2).map(({ to }) => to),
      ['moving', 'connected'],
    );
  });

  it('returns when the other endpoint refuses CONNECT, and loses nothing', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker(({ cmd }, connection) => {
      if (cmd !== 'connect') return;
      connection.send({ cmd: 'connack', sessionPresent: false, returnCode: 3 });
      return true;
    });
    await using device = client([a.url, b.url], { clientId: 'device' });
    await once(device, 'connect');
    const back = once(device, 'connect');
    await assert.rejects(device.moveTo(`127.0.0.1:${b.port}`), { code: 'ERR_REFUSED' });
    const waiting = device.publishAsync('readings', '1', { qos: 1 });
    await back;
    await waiting;
    assert.deepEqual([device.status().current, a.connects], [`127.0.0.1:${a.port}`, 2]);
  });

  it('refuses an id that is not in the list, and a client that is not connected', async () => {
    await using cluster = await aedesCluster(1);
    await using device = client(cluster.urls, { clientId: 'device' });
    await assert.rejects(device.moveTo('elsewhere'), { code: 'ERR_LINK' });
    await once(device, 'connect');
    await assert.rejects(device.moveTo('elsewhere'), { code: 'ERR_NO_ENDPOINT', message: /"elsewhere"/ });
  });
});

describe('rebalance', () => {
  it('moves to the best endpoint that is not known to fail, and nowhere from home', async () => {
    await using cluster = await aedesCluster(3);
    await using device = client(cluster.urls, { clientId: 'device', failback: { mode: 'off' } });
    const moves = collect<FailoverEvents['move']>(device, 'move');
    await once(device, 'connect');
    await device.rebalance();
    assert.deepEqual(moves, []);
    const ids = device.status().endpoints.map(({ id }) => id);
    await device.moveTo(`${ids[2]}`);
    await device.rebalance();
    assert.deepEqual(
      moves.map(({ to }) => to),
      [ids[2], ids[0]],
    );
  });
});

describe('going home', () => {
  it('brings a client back once its broker has proved itself, under load and without a loss', async () => {
    await using cluster = await aedesCluster(3);
    await using device = client(cluster.urls, { clientId: 'device', selection: 'client-id', ...HASTE });
    await once(device, 'connect');
    const readings = stream(device);
    const home = brokerOf(device, cluster);
    const moved = once(device, 'failover');
    await home.kill();
    await moved;
    await until(() => device.status().endpoints[0]?.state === 'ejected', { what: 'home to be ejected' });
    const back = once<[FailoverEvents['failback']]>(device, 'failback');
    await home.revive();
    const [event] = await back;
    const sent = await readings.stop();
    assert.equal(event.to, device.status().home);
    assert.deepEqual([brokerOf(device, cluster), missing(sent, cluster)], [home, []]);
    assert.equal(device.status().endpoints[0]?.state, 'healthy');
  });

  it('does not take a client with a session of its own away from it', async () => {
    await using cluster = await aedesCluster(2);
    await using device = client(cluster.urls, { clientId: 'device', clean: false, ...HASTE });
    await once(device, 'connect');
    const home = brokerOf(device, cluster);
    const moved = once(device, 'failover');
    await home.kill();
    await moved;
    await home.revive();
    const probed = once<[FailoverEvents['health']]>(device, 'health');
    const moves = collect(device, 'failback');
    assert.equal((await probed)[0].endpoint, device.status().home);
    await until(() => device.status().endpoints[0]?.state !== 'suspect', { what: 'a good probe' });
    assert.deepEqual([moves, brokerOf(device, cluster) === home], [[], false]);
  });

  it('takes a client with a session along where sessions are shared', async () => {
    await using cluster = await aedesCluster(2, { shared: true });
    await using device = client(cluster.urls, {
      clientId: 'device',
      clean: false,
      sessions: 'shared',
      ...HASTE,
    });
    await once(device, 'connect');
    await device.subscribeAsync('commands', { qos: 1 });
    const home = brokerOf(device, cluster);
    const moved = once<[FailoverEvents['failover']]>(device, 'failover');
    await home.kill();
    assert.equal((await moved)[0].resumed, true);
    const back = once<[FailoverEvents['failback']]>(device, 'failback');
    await home.revive();
    assert.equal((await back)[0].resumed, true);
  });

  it('leaves an endpoint that has left the list, without a cut', async () => {
    await using cluster = await aedesCluster(2);
    let list = [...cluster.urls];
    await using device = client(async () => list, {
      // Its slot is early in the window: the test need not wait long.
      clientId: 'device-208',
      discovery: { refreshMs: 1_000 },
      backoff: QUICK,
      ...HASTE,
    });
    await once(device, 'connect');
    const gone = device.status().current;
    const moved = once<[FailoverEvents['move']]>(device, 'move', 15_000);
    list = list.filter((url) => !url.endsWith(`${gone}`));
    const [event] = await moved;
    assert.deepEqual([event.from, event.to], [gone, device.status().current]);
    assert.match(event.reason, /left the list/);
  });
});

describe('an endpoint that the operator takes away', () => {
  /** Two scripted brokers in a list whose words can be changed; the client is connected to the first. */
  async function connectedPair(spreadMs: number) {
    const order: string[] = [];
    const b = await scriptedBroker(({ cmd }) => void (cmd === 'connect' && order.push('b: connect')));
    const a = await scriptedBroker(({ cmd }) => {
      // By the time that the old link is left, the new transport is open.
      if (cmd === 'disconnect') order.push(`a: disconnect, ${b.connections.length} open to b`);
    });
    let words: readonly ('up' | 'draining' | 'down')[] = ['up', 'up'];
    const device = client(
      {
        resolve: async () => ({
          endpoints: [a, b].flatMap(({ url }, i) => {
            const state = words[i];
            return state ? [{ url, id: 'ab'[i], state }] : [];
          }),
          source: 'test',
          spreadMs,
        }),
        // Endpoints from outside are read as specs, whatever their type says.
      } as unknown as BrokersInput,
      { clientId: 'device', discovery: { refreshMs: 1_000 }, failback: { mode: 'off' } },
    );
    await once(device, 'connect');
    assert.equal(device.status().current, 'a');
    return {
      a,
      b,
      device,
      order,
      say: (...next: ('up' | 'draining' | 'down')[]) => {
        words = next;
      },
      [Symbol.asyncDispose]: async () => {
        await device[Symbol.asyncDispose]();
        await a[Symbol.asyncDispose]();
        await b[Symbol.asyncDispose]();
      },
    };
  }

  for (const word of ['draining', 'down'] as const) {
    it(`is left when it is ${word}: the new transport first, then DISCONNECT, then CONNECT`, async () => {
      await using pair = await connectedPair(200);
      const moved = once<[FailoverEvents['move']]>(pair.device, 'move');
      pair.say(word, 'up');
      const [event] = await moved;
      assert.deepEqual([event.from, event.to], ['a', 'b']);
      assert.match(event.reason, new RegExp(word));
      assert.deepEqual(pair.order, ['a: disconnect, 1 open to b', 'b: connect']);
      assert.equal(pair.device.status().endpoints[0]?.state, word);
    });
  }

  it('is kept while nothing else can be reached, and left when something can', async () => {
    await using pair = await connectedPair(0);
    await pair.b.stop();
    const closes = collect(pair.device, 'close');
    const tried = once<[FailoverEvents['state']]>(pair.device, 'state');
    pair.say('down', 'up');
    assert.equal((await tried)[0].to, 'moving');
    await until(() => pair.device.status().state === 'connected', { what: 'the move to fail' });
    await pair.device.publishAsync('readings', '1', { qos: 1 });
    assert.deepEqual([pair.device.status().current, closes, pair.a.connects], ['a', [], 1]);
    const moved = once(pair.device, 'move', 15_000);
    await pair.b.restart();
    await moved;
    assert.equal(pair.device.status().current, 'b');
  });

  it('is not dialed while another is up, and dialed when none is', async () => {
    await using a = await scriptedBroker();
    await using b = await scriptedBroker();
    await using device = client(
      [
        { url: a.url, id: 'a', state: 'draining' },
        { url: b.url, id: 'b' },
      ],
      { clientId: 'device' },
    );
    await once(device, 'connect');
    assert.deepEqual([device.status().current, device.status().home, a.connections.length], ['b', 'a', 0]);
    const again = once(device, 'connect');
    await b.stop();
    await again;
    assert.equal(device.status().current, 'a');
  });
});

describe('zones', () => {
  for (const selection of ['client-id', 'random', 'ordered'] as const) {
    it(`put the endpoints of the client's own first with selection ${selection} (S4)`, async () => {
      await using cluster = await aedesCluster(3);
      const list = cluster.urls.map((url, i) => ({ url, id: `${i}`, zone: i === 2 ? 'here' : 'there' }));
      await using device = client(list, { clientId: 'device', selection, zone: 'here' });
      await once(device, 'connect');
      assert.deepEqual([device.status().current, device.status().home], ['2', '2']);
    });
  }
});

describe('tiers', () => {
  it('take their clients home from the next one by the same rules (R167)', async () => {
    await using cluster = await aedesCluster(3);
    const [first, ...reserve] = cluster.urls;
    await using device = client([{ url: `${first}` }, ...reserve.map((url) => ({ url, priority: 1 }))], {
      clientId: 'device',
      selection: 'client-id',
      ...HASTE,
    });
    await once(device, 'connect');
    assert.equal(brokerOf(device, cluster), cluster.at(0));
    const moved = once<[FailoverEvents['failover']]>(device, 'failover');
    await cluster.at(0)?.kill();
    assert.notEqual((await moved)[0].to, device.status().home);
    const back = once<[FailoverEvents['failback']]>(device, 'failback');
    await cluster.at(0)?.revive();
    assert.equal((await back)[0].to, device.status().home);
    assert.equal(brokerOf(device, cluster), cluster.at(0));
  });
});

describe("a selector of the application's own", () => {
  it('that throws does not keep the client from connecting, and is reported (S9)', async () => {
    await using cluster = await aedesCluster(2);
    await using device = client(cluster.urls, {
      clientId: 'device',
      selection: {
        rank: () => {
          throw new Error('off by one');
        },
      },
    });
    const reported = once<[FailoverEvents['discovery-error']]>(device, 'discovery-error');
    const [{ source, error }] = await reported;
    await until(() => device.connected, { what: 'the connection' });
    assert.deepEqual(
      [source, error.code, device.status().current],
      ['selection', 'ERR_OPTION', device.status().home],
    );
    assert.match(error.message, /off by one/);
  });
});
