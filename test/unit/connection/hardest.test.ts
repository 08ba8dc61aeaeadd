/**
 * The situations that naive clients get wrong (requirements, section H), as far as they are a matter of time: the real
 * client with MQTT.js, over brokers in memory, on the virtual clock.
 *
 * The others on their sockets: 3 `integration/tls`, 4 `integration/delivery`, 5 `integration/drop-in`, 11 and 16 also
 * `system/liveness` and `system/moves`.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, type FailoverEvents, type FailoverOptions, tokens } from '../../../src/index.js';
import { collect } from '../../support/events.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { MemoryNetwork, WELL } from '../fakes/memory-network.js';
import { OwnedClock } from '../fakes/owned-clock.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A client of the nodes `a`, `b` and `c`, in this order. */
async function world(options: FailoverOptions = {}) {
  const clock = new VirtualClock();
  const own = new OwnedClock(clock);
  const random = fixedRandom(0.5);
  const network = new MemoryNetwork(clock, random);
  const connects: { readonly id: string; readonly at: number }[] = [];
  network.onConnect = ({ id }) => connects.push({ id, at: clock.now() });
  const client = connect(
    ['a', 'b', 'c'].map((id) => ({ url: `mqtt://${id}.test`, id })),
    {
      clientId: 'device-7',
      protocolVersion: 5,
      selection: 'ordered',
      timerVariant: own.intervals(),
      ...options,
      overrides: (container) => {
        container.register(tokens.clock, { useValue: own });
        container.register(tokens.random, { useValue: random });
        container.register(tokens.network, { useValue: network });
      },
    },
  );
  const pass = (ms: number) => clock.advance(ms, turn);
  return {
    clock,
    network,
    client,
    connects,
    pass,
    behave: (conduct: Partial<typeof WELL>) => {
      for (const id of ['a', 'b', 'c']) network.behave(id, { ...WELL, ...conduct });
    },
    states: collect<FailoverEvents['state']>(client, 'state'),
    health: collect<FailoverEvents['health']>(client, 'health'),
    [Symbol.asyncDispose]: async () => {
      client.end(true);
      await pass(2_000);
      assert.deepEqual([own.pending, network.openTransports.size], [0, 0], 'nothing is left');
    },
  };
}

/** Node's own queues, twice: MQTT.js closes in two steps. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

describe('hardest 7: a laptop that sleeps for eight hours', () => {
  test('asks within five seconds of waking, takes a fresh token once, and blames only the link that died', async () => {
    let asked = 0;
    await using w = await world({
      credentials: () => {
        asked += 1;
        return { username: 'u', password: `token ${asked}` };
      },
    });
    await w.pass(MINUTE);
    assert.deepEqual([w.client.status().current, asked], ['a', 1]);
    // The network has gone, and nobody says so.
    w.network.behave('a', { dial: 'hang', connect: 0, lives: false });
    w.clock.sleep(8 * HOUR);
    const wokeAt = w.clock.now();
    await w.pass(20_000);
    const lostAt = w.states.find(({ from, to }) => from === 'connected' && to === 'backoff');
    assert.ok(lostAt, 'the dead link was noticed');
    assert.equal(w.client.status().current, 'b');
    const [, second] = w.connects;
    assert.ok((second?.at ?? Number.POSITIVE_INFINITY) - wokeAt <= 17_000, 'and another was there soon');
    assert.ok(asked <= 3, `${asked} questions for a token`);
    assert.deepEqual(
      w.client
        .status()
        .endpoints.map(({ id, state }) => `${id} ${state}`)
        .slice(1),
      ['b healthy', 'c healthy'],
    );
  });
});

describe('hardest 10: nodes that accept and then close', () => {
  for (const [what, connects] of [
    ['before CONNACK', 'hang up'],
    ['with CONNACK', 0],
  ] as const) {
    test(`${what}, all of them, are asked at a rate that falls`, async () => {
      await using w = await world();
      w.behave({ connect: connects });
      if (connects === 0) {
        w.network.onConnect = (transport) => {
          w.connects.push({ id: transport.id, at: w.clock.now() });
          w.clock.setTimeout(() => transport.hangUp(), 50);
        };
      }
      await w.pass(10 * MINUTE);
      const startedAt = w.connects[0]?.at ?? 0;
      const during = (from: number, to: number) =>
        w.connects.filter(({ at }) => at - startedAt >= from && at - startedAt < to).length;
      const [first, last] = [during(0, MINUTE), during(9 * MINUTE, 10 * MINUTE)];
      assert.ok(first <= 30, `${first} CONNECTs in the first minute`);
      assert.ok(last <= 12, `${last} CONNECTs in the tenth minute`);
      assert.ok(last < first, `${last} after ${first}`);
    });
  }

  test('before CONNACK, at home alone, keep the client where it is, however often a probe succeeds', async () => {
    await using w = await world({ keepalive: 60 });
    w.network.behave('a', { ...WELL, connect: 'hang up' });
    await w.pass(6 * HOUR);
    assert.equal(w.client.status().current, 'b');
    const visits = w.connects.filter(({ id }) => id === 'a').length;
    assert.ok(visits <= 40, `${visits} visits in six hours`);
  });
});

describe('hardest 10: a home that accepts CONNECT and then closes', () => {
  test('is visited less and less often, for every probe of it succeeds', async () => {
    await using w = await world({ keepalive: 60 });
    w.network.onConnect = (transport) => {
      w.connects.push({ id: transport.id, at: w.clock.now() });
      if (transport.id === 'a') w.clock.setTimeout(() => transport.hangUp(), 50);
    };
    await w.pass(6 * HOUR);
    assert.equal(w.client.status().current, 'b');
    const visits = w.connects.filter(({ id }) => id === 'a').length;
    // At a constant rate, every dwellMs, it would be 140.
    assert.ok(visits <= 60, `${visits} visits in six hours`);
  });
});

describe('hardest 11: a broker that is stopped while QoS 0 flows', () => {
  test('is left within 40 s of its last byte', async () => {
    await using w = await world();
    await w.pass(5_000);
    w.network.behave('a', { dial: 'hang', connect: 0, lives: false });
    const stoppedAt = w.clock.now();
    for (let second = 0; second < 45 && w.client.status().current !== 'b'; second += 1) {
      w.client.publish('t', `${second}`);
      await w.pass(1_000);
    }
    const [, second] = w.connects;
    assert.equal(second?.id, 'b');
    assert.ok(second.at - stoppedAt <= 40_500, `${second.at - stoppedAt} ms`);
  });
});

describe('hardest 14: the token expired two hours ago', () => {
  for (const protocolVersion of [4, 5] as const) {
    test(`MQTT ${protocolVersion}: nobody is hammered, nobody gives up, and reconnect() need not wait`, async () => {
      await using w = await world({
        protocolVersion,
        credentials: () => ({ username: 'u', password: 'token' }),
      });
      w.behave({ connect: protocolVersion === 5 ? 0x87 : 5 });
      await w.pass(2 * HOUR);
      assert.equal(w.client.status().state, 'auth-wait');
      assert.ok(w.connects.length <= 100, `${w.connects.length} CONNECTs in two hours`);
      assert.deepEqual(
        w.health.filter(({ state }) => state === 'ejected'),
        [],
      );
      w.behave({ connect: 0 });
      const before = w.clock.now();
      w.client.reconnect();
      await w.pass(MINUTE);
      assert.ok(w.client.connected);
      assert.ok((w.connects.at(-1)?.at ?? 0) - before < MINUTE);
    });
  }

  for (const protocolVersion of [4, 5] as const) {
    test(`MQTT ${protocolVersion}: the client is back within a minute of a good one, without being told`, async () => {
      let token = 'expired';
      await using w = await world({
        protocolVersion,
        credentials: () => ({ username: 'u', password: token }),
      });
      w.behave({ connect: protocolVersion === 5 ? 0x87 : 5 });
      await w.pass(2 * HOUR);
      w.behave({ connect: 0 });
      token = 'good';
      await w.pass(MINUTE);
      assert.ok(w.client.connected);
    });
  }

  test('without a provider, the client finds out within a quarter of an hour', async () => {
    await using w = await world();
    w.behave({ connect: 0x87 });
    await w.pass(2 * HOUR);
    w.behave({ connect: 0 });
    await w.pass(15 * MINUTE);
    assert.ok(w.client.connected);
  });
});

describe('runner-up: a clock that is set', () => {
  const YEAR = 365 * 24 * HOUR;

  for (const step of [YEAR, -YEAR]) {
    test(`by ${step > 0 ? 'a year ahead' : 'a year back'} during a wait changes no wait (R163)`, async () => {
      const attempts = async (shift: number) => {
        await using w = await world();
        w.behave({ dial: Object.assign(new Error('ECONNREFUSED'), { code: 'ECONNREFUSED' }) });
        const dials: number[] = [];
        for (let second = 0; second < 120; second += 1) {
          await w.pass(1_000);
          dials.push(w.network.dials);
          if (second === 3) w.clock.shiftWall(shift);
        }
        return dials;
      };
      assert.deepEqual(await attempts(step), await attempts(0));
    });
  }
});

describe('runner-up: a take-over by our own move', () => {
  test('told late by the broker that was left is no conflict (R83, R110)', async () => {
    await using w = await world({ failback: { mode: 'off' } });
    await w.pass(MINUTE);
    const conflicts = collect(w.client, 'conflict');
    for (let n = 0; n < 5; n += 1) {
      const [old] = w.network.openTransports;
      const moved = w.client.moveTo(n % 2 === 0 ? 'b' : 'a');
      const end = old?.end.bind(old);
      // Says so just before it closes its side.
      if (old && end) {
        old.end = () => {
          old.send({ cmd: 'disconnect', reasonCode: 0x8e });
          end();
        };
      }
      await w.pass(2_000);
      await moved;
    }
    await w.pass(MINUTE);
    assert.deepEqual([conflicts, w.client.status().state, w.connects.length], [[], 'connected', 6]);
  });
});
