/**
 * Impatience is bounded: whoever asks for another attempt, however often, draws from one budget (R146, R199).
 *
 * World: a client whose endpoints refuse, on the virtual clock, for minutes.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RetryBudget } from '../../../src/connection/retry-budget.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { type ClientSetup, clientOf } from '../fakes/client.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const MINUTE = 60_000;

function world(ids = 'abcde', setup: Partial<ClientSetup> = {}) {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  const client = clientOf({ clock, network, endpoints: [...ids].map((id) => endpoint(id)), ...setup });
  const refuse = () => {
    for (const id of ids) network.answer(id, refused);
  };
  return { clock, network, refuse, ...client };
}

describe('the retry budget', () => {
  test('has one free call every five seconds, ten more at once, and ten more a minute', () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock);
    const granted = (calls: number) =>
      Array.from({ length: calls }, () => budget.take()).filter(Boolean).length;
    assert.equal(granted(1_000), 11);
    clock.sleep(4_999);
    assert.equal(granted(1_000), 0);
    clock.sleep(1);
    assert.equal(granted(1_000), 1);
    clock.sleep(1_000);
    assert.equal(granted(1_000), 1);
    clock.sleep(10 * MINUTE);
    assert.equal(granted(1_000), 11);
  });

  test('can be drawn on ahead of its time', () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock);
    for (let n = 0; n < 11; n += 1) budget.take();
    clock.sleep(2_000);
    assert.equal(budget.reserve(), 3_000);
    clock.sleep(3_000);
    assert.equal(budget.take(), false);
  });

  test('never grants more than its rate, however the calls come', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { maxLength: 400 }), (pauses) => {
        const clock = new VirtualClock(0);
        const budget = new RetryBudget(clock);
        let granted = 0;
        for (const ms of pauses) {
          clock.sleep(ms);
          if (budget.take()) granted += 1;
        }
        const elapsed = clock.now();
        assert.ok(granted <= 11 + elapsed / 5_000 + elapsed / 6_000, `${granted} in ${elapsed} ms`);
      }),
    );
  });
});

describe('five dead nodes for ten minutes', () => {
  test('cost five attempts a pass, and passes that grow apart (R145)', async () => {
    const { clock, network, refuse, supervisor, core } = world();
    refuse();
    supervisor.start('test');
    await clock.advance(10 * MINUTE);
    const passes = core.errors.length;
    assert.ok(network.dials.length <= 5 * passes, `${network.dials.length} dials in ${passes} passes`);
    assert.ok(passes >= 20 && passes <= 60, `${passes} passes`);
  });

  test('cost little more when reconnect() is called a hundred times a second', async () => {
    const { clock, network, refuse, supervisor, core } = world();
    refuse();
    supervisor.start('test');
    for (let n = 0; n < 1_000; n += 1) {
      await clock.advance(10);
      supervisor.restart('impatient');
    }
    // Ten seconds: the passes of the schedule, two free calls, ten from the bucket and one that dripped in.
    assert.ok(core.errors.length <= 3 + 2 + 10 + 1, `${core.errors.length} passes`);
    assert.ok(network.dials.length <= 5 * core.errors.length);
  });

  test('cost no storm when a listener calls reconnect() in every error and close', async () => {
    const { clock, network, refuse, supervisor, core } = world('a');
    refuse();
    for (const event of ['error', 'close']) core.on(event, () => supervisor.restart(`in ${event}`));
    core.on('error', () => queueMicrotask(() => supervisor.restart('after error')));
    supervisor.start('test');
    await clock.advance(10 * MINUTE);
    assert.ok(network.dials.length <= 10 * 22 + 11, `${network.dials.length} dials`);
  });
});

describe('reconnect()', () => {
  test('on a link that ends at once, in every close, makes no storm', async () => {
    const { clock, supervisor, core, events } = world('ab');
    for (const id of 'ab') core.answer(id, 'hang up');
    events.listener = (event) => {
      if (event === 'state' && supervisor.state === 'backoff')
        queueMicrotask(() => supervisor.restart('now'));
    };
    supervisor.start('test');
    await clock.advance(10 * MINUTE);
    const connects = core.log.filter((line) => line.startsWith('connect ')).length;
    assert.ok(connects <= 2 * (10 * 22 + 11), `${connects} CONNECTs`);
  });

  test('while connected leaves and comes back, at once while the budget lasts, then at its pace', async () => {
    const { clock, supervisor, network, events } = world('a');
    supervisor.start('test');
    await clock.advance(60_000);
    for (let n = 0; n < 60; n += 1) {
      await clock.advance(1_000);
      supervisor.restart('again');
    }
    await clock.advance(10_000);
    assert.equal(supervisor.state, 'connected');
    assert.ok(
      network.dials.length > 12 && network.dials.length <= 1 + 22 + 11,
      `${network.dials.length} dials`,
    );
    assert.ok(events.states.includes('backoff'));
  });

  test('joins the wait that is running when the budget is spent', async () => {
    const { clock, network, refuse, supervisor } = world('a');
    refuse();
    supervisor.start('test');
    await clock.advance(30_000);
    for (let n = 0; n < 30; n += 1) {
      supervisor.restart('impatient');
      await clock.advance(100);
    }
    const dials = network.dials.length;
    const left = clock.nextIn as number;
    supervisor.restart('impatient');
    await clock.advance(0);
    assert.deepEqual([supervisor.state, network.dials.length], ['backoff', dials]);
    await clock.advance(left);
    assert.ok(network.dials.length > dials);
  });

  test('of a client that failed for good starts it again, in the end at the pace of the budget', async () => {
    const { clock, network, supervisor, core } = world('a');
    core.answer('a', { refuse: 0x85 });
    supervisor.start('test');
    for (let n = 0; n < 600; n += 1) {
      await clock.advance(100);
      supervisor.retryNow('impatient');
    }
    assert.ok(network.dials.length <= 1 + 22 + 11, `${network.dials.length} dials in a minute`);
    core.answer('a', 'accept');
    await clock.advance(10_000);
    supervisor.retryNow('mended');
    await clock.advance(0);
    assert.equal(supervisor.state, 'connected');
  });
});

describe('redirects', () => {
  test('in a circle, each after CONNACK, come to a slow pace (R199)', async () => {
    const { clock, network, supervisor, events, session } = world('ab');
    events.listener = (event) => {
      if (event !== 'state' || supervisor.state !== 'connected') return;
      const properties = { serverReference: supervisor.current?.id === 'a' ? 'b.test' : 'a.test' };
      queueMicrotask(() => session.packetReceived({ cmd: 'disconnect', reasonCode: 0x9c, properties }));
    };
    supervisor.start('test');
    await clock.advance(10 * MINUTE);
    assert.ok(network.dials.length <= 10 * 10, `${network.dials.length} dials in ten minutes`);
  });
});
