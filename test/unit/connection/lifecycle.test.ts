/**
 * What a page's signals do to a client. World: one client over the scripted network, a fake page, the virtual clock;
 * every draw is 0.5, so an attempt after a signal comes after half a second.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lifecycle } from '../../../src/connection/lifecycle.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { clientOf } from '../fakes/client.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';
import { FakeOrigin } from '../fakes/fake-page.js';

const refused = new Error('ECONNREFUSED');

function world() {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  const page = new FakeOrigin().page();
  const client = clientOf({
    clock,
    network,
    endpoints: [endpoint('a'), endpoint('b')],
    isOnline: () => page.isOnline,
  });
  const { supervisor, session } = client;
  const lifecycle = new Lifecycle({
    signals: page.signals,
    session,
    supervisor,
    clock,
    random: fixedRandom(0.5),
  });
  lifecycle.start();
  supervisor.start('test');
  return {
    ...client,
    clock,
    network,
    page,
    lifecycle,
    transport: () => network.dials.findLast((dial) => dial.transport)?.transport,
    pings: () => client.core.log.filter((entry) => entry === 'ping').length,
    end: () => {
      lifecycle.stop();
      client.end();
    },
  };
}

async function connected() {
  const w = world();
  await w.clock.advance(10);
  assert.equal(w.supervisor.state, 'connected');
  return w;
}

/** No endpoint answers, and the client waits. */
async function failing() {
  const w = await connected();
  w.network.answer('a', refused);
  w.network.answer('b', refused);
  w.cut();
  await w.clock.advance(500);
  assert.equal(w.supervisor.state, 'backoff');
  return w;
}

describe('a page that loses its network', () => {
  test('keeps its link', async () => {
    const w = await connected();
    w.page.signal('offline');
    await w.clock.advance(120_000);
    assert.deepEqual(w.events.states, ['idle', 'discovering', 'connecting', 'connected']);
    assert.equal(w.pings(), 0);
    w.end();
  });

  test('tries once when the link ends, then once a minute, in state paused', async () => {
    const w = await connected();
    w.network.answer('a', refused);
    w.network.answer('b', refused);
    await w.clock.advance(120_000);
    w.page.signal('offline');
    const before = w.network.dials.length;
    w.cut();
    await w.clock.advance(500);
    assert.equal(w.supervisor.state, 'paused');
    assert.equal(w.network.dials.length - before, 2, 'one pass over two endpoints');
    await w.clock.advance(58_000);
    assert.equal(w.network.dials.length - before, 2);
    await w.clock.advance(2_000);
    assert.equal(w.network.dials.length - before, 4);
    await w.clock.advance(600_000);
    assert.equal(w.network.dials.length - before, 24);
    w.end();
  });

  test('pauses the wait that is running', async () => {
    const w = await failing();
    const before = w.network.dials.length;
    w.page.signal('offline');
    assert.equal(w.supervisor.state, 'paused');
    await w.clock.advance(55_000);
    assert.equal(w.network.dials.length, before);
    w.end();
  });

  test('finds a broker although the runtime is wrong', async () => {
    const w = await failing();
    w.page.signal('offline');
    w.network.answer('b', 'open');
    await w.clock.advance(61_000);
    assert.equal(w.supervisor.state, 'connected');
    w.end();
  });
});

describe('a page whose network is back', () => {
  test('tries within a second', async () => {
    const w = await failing();
    w.page.signal('offline');
    await w.clock.advance(10_000);
    w.network.answer('a', 'open');
    w.page.signal('online');
    await w.clock.advance(499);
    assert.equal(w.supervisor.state, 'paused');
    await w.clock.advance(2);
    assert.equal(w.supervisor.state, 'connected');
    w.end();
  });

  test('asks the link that it still has, and keeps it when it answers', async () => {
    const w = await connected();
    w.page.signal('offline');
    w.page.signal('online');
    assert.equal(w.pings(), 1);
    w.session.packetSent({ cmd: 'pingreq' });
    w.transport()?.emit('data', Buffer.from('pong'));
    await w.clock.advance(20_000);
    assert.equal(w.supervisor.state, 'connected');
    assert.deepEqual(w.events.of('failover'), []);
    w.end();
  });

  test('leaves the link after five seconds without an answer', async () => {
    const w = await connected();
    Object.assign(w.core.client, { sendPing: () => w.session.packetSent({ cmd: 'pingreq' }) });
    w.page.signal('online');
    await w.clock.advance(4_990);
    assert.equal(w.supervisor.state, 'connected');
    await w.clock.advance(200);
    assert.equal(w.events.of('failover').length, 1);
    w.end();
  });

  test('waits as after any failure, and not a minute, when its retry budget is spent', async () => {
    const w = await failing();
    w.page.signal('offline');
    for (let n = 0; n < 20; n += 1) w.supervisor.retryNow('the test spends the budget');
    await w.clock.advance(500);
    for (let n = 0; n < 20; n += 1) {
      w.supervisor.retryNow('the test spends the budget');
      await w.clock.advance(10);
    }
    assert.equal(w.supervisor.state, 'paused');
    w.network.answer('a', 'open');
    w.page.signal('online');
    await w.clock.advance(501);
    assert.equal(w.supervisor.state, 'backoff');
    await w.clock.advance(31_000);
    assert.equal(w.supervisor.state, 'connected');
    w.end();
  });

  test('that comes and goes all the time makes no storm', async () => {
    const w = await failing();
    const before = w.network.dials.length;
    for (let n = 0; n < 600; n += 1) {
      w.page.signal('offline');
      w.page.signal('online');
      await w.clock.advance(1_000);
    }
    const passes = (w.network.dials.length - before) / 2;
    // One call in five seconds is free, and ten a minute beside it.
    assert.ok(passes <= 10 * 22 + 10, `${passes} passes in ten minutes`);
    w.end();
  });
});

describe('a page that wakes up', () => {
  for (const signal of ['visible', 'resumed'] as const) {
    test(`${signal}: asks its link`, async () => {
      const w = await connected();
      w.page.signal(signal);
      assert.equal(w.pings(), 1);
      assert.equal(w.supervisor.state, 'connected');
      w.end();
    });

    test(`${signal}: leaves a link that says itself that it is closed`, async () => {
      const w = await connected();
      const transport = w.transport();
      // The browser closed it while the page was in its cache, and tells nobody.
      Object.assign(transport!, { destroyed: true });
      transport!.destroy = () => {
        transport!.hangUp();
      };
      transport!.closed = false;
      w.page.signal(signal);
      await w.clock.advance(100);
      assert.equal(w.pings(), 0);
      assert.equal(w.events.of('failover').length, 1);
      w.end();
    });

    test(`${signal}: cuts a wait short`, async () => {
      const w = await failing();
      w.network.answer('a', 'open');
      w.page.signal(signal);
      await w.clock.advance(501);
      assert.equal(w.supervisor.state, 'connected');
      w.end();
    });
  }

  test('does not cut short what a broker asked for', async () => {
    const w = await connected();
    w.core.answer('a', { refuse: 0x87 });
    w.core.answer('b', { refuse: 0x87 });
    w.cut();
    await w.clock.advance(5_000);
    assert.equal(w.supervisor.state, 'auth-wait');
    const before = w.network.dials.length;
    w.page.signal('visible');
    await w.clock.advance(5_000);
    assert.equal(w.network.dials.length, before);
    w.end();
  });
});

test('a client that has ended listens to nothing and has no timer', async () => {
  const w = await failing();
  w.page.signal('online');
  w.end();
  assert.equal(w.page.listeners, 0);
  await w.clock.advance(1_000);
  assert.equal(w.clock.pending, 0);
});
