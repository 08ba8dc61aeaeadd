/**
 * What ends a wait before its time: the list, and the application's credentials.
 *
 * World: as in `supervisor.test.ts`; every draw is 0.5, so a spread of 100 ms is 50 ms, the wait after a failed pass is
 * 2 s and that of the slow lane 45 s, then 90 s; the application is asked for credentials every 52.5 s meanwhile.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AttemptCredentials } from '../../../src/dial/credentials.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import type { Endpoint } from '../../../src/endpoint.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { type ClientSetup, clientOf } from '../fakes/client.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';

const MINUTE = 60_000;
const refused = new Error('ECONNREFUSED');

/** A client whose list may change; discovery is asked every second. */
function world(ids: string, setup: Partial<ClientSetup> = {}) {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  const known = new Map<string, Endpoint>();
  const called = (id: string, extra = {}) => {
    const made = known.get(id + JSON.stringify(extra)) ?? endpoint(id, extra);
    known.set(id + JSON.stringify(extra), made);
    return made;
  };
  let answer: Partial<EndpointSet> | undefined = { endpoints: [...ids].map((id) => called(id)) };
  const client = clientOf({
    clock,
    network,
    endpoints: [],
    resolve: async () => {
      if (!answer) throw new Error('no registry');
      return { endpoints: [], source: 'test', ...answer };
    },
    refreshMs: 1_000,
    ...setup,
  });
  return {
    ...client,
    clock,
    network,
    called,
    relist: (set: Partial<EndpointSet> | undefined) => {
      answer = set;
    },
    refuse: (ids: string) => {
      for (const id of ids) network.answer(id, refused);
    },
  };
}

describe('a wait for want of an endpoint', () => {
  test('ends, after a spread, when the list has a new one', async () => {
    const w = world('ab');
    w.refuse('ab');
    w.supervisor.start('test');
    await w.clock.advance(20_500);
    const dials = w.network.log.length;
    assert.equal(w.supervisor.state, 'backoff');
    w.relist({ endpoints: [w.called('a'), w.called('b'), w.called('c')] });
    await w.clock.advance(1_000);
    assert.equal(w.supervisor.current?.id, 'c');
    assert.equal(w.network.log.length - dials, 3);
    assert.deepEqual(w.events.of('state').at(-2)?.reason, 'the wait is over');
  });

  test('ends when there is a list at all', async () => {
    const w = world('');
    w.relist(undefined);
    w.supervisor.start('test');
    await w.clock.advance(20_500);
    assert.equal(w.supervisor.state, 'backoff');
    w.relist({ endpoints: [w.called('a')] });
    const isUp = () => w.supervisor.current !== undefined;
    for (let n = 0; n < 600 && !isUp(); n += 1) await w.clock.advance(50);
    assert.ok(isUp());
    const { updatedAt } = w.watcher.status();
    assert.ok(w.clock.wallNow() - (updatedAt ?? 0) <= 150, 'and not when the wait would have ended');
  });

  test('goes on when what is new is down, or only the old ones are there', async () => {
    const w = world('ab');
    w.refuse('abc');
    w.supervisor.start('test');
    await w.clock.advance(20_500);
    const dials = w.network.log.length;
    w.relist({ endpoints: [w.called('a'), w.called('b'), w.called('c', { state: 'down' })] });
    await w.clock.advance(2_000);
    w.relist({ endpoints: [w.called('a')] });
    await w.clock.advance(2_000);
    assert.equal(w.network.log.length, dials);
  });

  test('is spread as wide as the list asks, but never longer than it was', async () => {
    for (const [spreadMs, dialsSoon] of [
      [4_000, false],
      [600_000, false],
      [0, true],
    ] as const) {
      const w = world('a', { clientId: 'sensor-17' });
      w.refuse('a');
      w.supervisor.start('test');
      // The fifth wait, of 16 s, has just begun.
      await w.clock.advance(19_500);
      w.relist({ spreadMs, endpoints: [w.called('a'), w.called('b')] });
      await w.clock.advance(1_100);
      assert.equal(w.supervisor.current?.id === 'b', dialsSoon, `${spreadMs} ms`);
      await w.clock.advance(16_000);
      assert.equal(w.supervisor.current?.id, 'b', `${spreadMs} ms`);
    }
  });

  test('ends within the retry budget only, however often the list changes', async () => {
    const w = world('a', { refreshMs: 100 });
    w.refuse('a');
    w.supervisor.start('test');
    await w.clock.advance(2_500);
    const passes = () => w.core.log.filter((line) => line === 'reconnect').length;
    const before = passes();
    for (let n = 0; n < 600; n += 1) {
      w.network.answer(`n${n}`, refused);
      w.relist({ endpoints: [w.called(`n${n}`)] });
      await w.clock.advance(100);
    }
    // Ten of the budget, ten that it gained and twelve free ones.
    assert.ok(passes() - before <= 33, `${passes() - before} passes in a minute`);
  });
});

describe('other waits', () => {
  test('go on: a client that was kicked does not hop to a new endpoint', async () => {
    const w = world('a');
    w.supervisor.start('test');
    await w.clock.advance(10_500);
    w.disconnect(0x98);
    w.relist({ endpoints: [w.called('a'), w.called('b')] });
    await w.clock.advance(15_000);
    assert.equal(w.supervisor.state, 'backoff');
  });
});

describe('a client that no endpoint of the list can serve', () => {
  test('is woken by another list', async () => {
    const w = world('ab');
    for (const id of 'ab') w.core.answer(id, { refuse: 0x84 });
    w.supervisor.start('test');
    await w.clock.advance(10_500);
    assert.deepEqual([w.supervisor.state, w.network.log], ['failed', ['a@0', 'b@0']]);
    w.relist({ endpoints: [w.called('a'), w.called('b', { weight: 2 })] });
    w.core.answer('b', 'accept');
    await w.clock.advance(1_000);
    assert.equal(w.supervisor.current?.id, 'b');
    assert.ok(!w.network.log.includes('a@11050'), 'an entry that did not change is not asked again');
  });

  test('stays woken: a list that helps nobody leads back to failed', async () => {
    const w = world('a');
    for (const id of 'ab') w.core.answer(id, { refuse: 0x84 });
    w.supervisor.start('test');
    await w.clock.advance(10_500);
    w.relist({ endpoints: [w.called('a'), w.called('b')] });
    await w.clock.advance(1_000);
    assert.equal(w.supervisor.state, 'failed');
    assert.match(w.core.errors.at(-1)?.message ?? '', /^No endpoint can serve this client: a .*; b /);
    w.end();
    assert.equal(w.clock.pending, 0);
  });
});

describe('the slow lane after refused credentials', () => {
  const refuseAll = (w: ReturnType<typeof world>, code: number) => {
    for (const id of 'abc') w.core.answer(id, { refuse: code });
  };

  test('ends within a minute of other credentials, and no broker is asked before (hardest 14)', async () => {
    let token = 'expired';
    const w = world('abc', { provider: () => ({ username: 'u', password: token }) });
    refuseAll(w, 0x87);
    w.supervisor.start('test');
    // Into a wait of the slow lane that is longer than five minutes.
    await w.clock.advance(30 * MINUTE);
    assert.equal(w.supervisor.state, 'auth-wait');
    const connects = w.network.log.length;
    for (const id of 'abc') w.core.answer(id, 'accept');
    token = 'fresh';
    await w.clock.advance(MINUTE);
    assert.equal(w.supervisor.state, 'connected');
    assert.equal(w.network.log.length, connects + 1);
    w.end();
    assert.equal(w.clock.pending, 0);
  });

  test('goes on while the answer is the same, fails, or hangs', async () => {
    let answers: () => AttemptCredentials | Promise<AttemptCredentials> = () => ({ password: 'expired' });
    let asked = 0;
    const provider = () => {
      asked += 1;
      return answers();
    };
    const w = world('a', { provider });
    refuseAll(w, 0x87);
    w.supervisor.start('test');
    await w.clock.advance(23.5 * MINUTE);
    const connects = w.network.log.length;
    const before = asked;
    answers = () => ({ password: Buffer.from('expired').toString(), expiresAt: 5 });
    await w.clock.advance(MINUTE);
    answers = () => Promise.reject(new Error('the issuer is down'));
    await w.clock.advance(MINUTE);
    answers = () => new Promise(() => {});
    await w.clock.advance(MINUTE);
    assert.deepEqual([w.supervisor.state, w.network.log.length], ['auth-wait', connects]);
    assert.ok(asked - before >= 3, `${asked - before} questions in three minutes`);
    w.end();
    assert.equal(w.clock.pending, 0);
  });

  test('without a provider asks nobody', async () => {
    const w = world('a', { refreshMs: 10 * MINUTE });
    refuseAll(w, 0x87);
    w.supervisor.start('test');
    await w.clock.advance(0);
    assert.deepEqual([w.supervisor.state, w.clock.pending], ['auth-wait', 2]);
  });

  test('is entered at most once a minute by tokens that are new each time and refused each time', async () => {
    let n = 0;
    const provider = () => {
      n += 1;
      return { password: `token ${n}` };
    };
    const w = world('abc', { provider });
    refuseAll(w, 0x87);
    w.supervisor.start('test');
    await w.clock.advance(60 * MINUTE);
    const passes = w.events.of('state').filter(({ to }) => to === 'auth-wait').length;
    assert.ok(passes <= 70, `${passes} passes in an hour`);
  });
});
