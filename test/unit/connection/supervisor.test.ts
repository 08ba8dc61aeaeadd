/**
 * The state machine of a client, told as sequences of states and events.
 *
 * World: real watcher, health book, dialer, session and options; the network, MQTT.js with its brokers, the clock and
 * chance are fakes. Every draw is 0.5, so a spread of 100 ms is 50 ms and the waits after failed passes are 2, 3, 5, 9
 * and then 16 s. Endpoints are tried in the order of the list.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SupervisorOptions } from '../../../src/connection/parts.js';
import { Credentials, type CredentialsProvider } from '../../../src/dial/credentials.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import type { Endpoint } from '../../../src/endpoint.js';
import type { FailoverError } from '../../../src/errors.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';
import { connectOptionsOf, sessionOf, supervisorOf } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

const refused = new Error('ECONNREFUSED');

interface Setup extends Partial<SupervisorOptions> {
  readonly ids?: string;
  /** Answers discovery instead of the list `ids`. */
  readonly resolve?: (signal: AbortSignal) => Promise<EndpointSet>;
  readonly refreshMs?: number;
  readonly refusal?: (endpoint: Endpoint) => string | undefined;
  readonly provider?: CredentialsProvider;
  /** What `linkDown` says: whether something that we sent is suspected to have ended the link. */
  readonly suspected?: boolean;
}

function world({
  ids = 'abc',
  resolve,
  refreshMs,
  refusal = () => undefined,
  provider,
  suspected = false,
  ...given
}: Setup = {}) {
  const clock = new VirtualClock();
  const random = fixedRandom(0.5);
  const events = new Recorder();
  const network = new FakeNetwork(clock);
  const core = new FakeCore();
  core.options.protocolVersion = 5;
  const options: SupervisorOptions = {
    minMs: 1_000,
    baseMs: 2_000,
    maxMs: 30_000,
    resetAfterMs: 30_000,
    spreadMs: 100,
    connackTimeoutMs: 10_000,
    attemptTimeoutMs: Number.POSITIVE_INFINITY,
    reconnect: true,
    ...given,
  };
  const list = [...ids].map((id) => endpoint(id));
  const watcher = new Watcher({
    resolver: { resolve: resolve ?? (async () => ({ endpoints: list, source: 'test' })) },
    clock,
    random,
    events,
    refreshMs,
  });
  const connectOptions = connectOptionsOf(core);
  const session = sessionOf(core, clock, connectOptions);
  const credentials = new Credentials(provider, clock);
  const links: string[] = [];
  const observer = {
    linkUp: (link: { endpoint: Endpoint }) => links.push(`up ${link.endpoint.id}`),
    linkDown: () => {
      links.push('down');
      return suspected;
    },
    quiesce: async () => true,
    resume: () => {},
  };
  const supervisor = supervisorOf({
    watcher,
    network,
    credentials,
    session,
    connectOptions,
    core,
    links: observer,
    clock,
    random,
    events,
    refusal,
    options,
  });
  /** The transport in use. */
  const transport = () => network.dials.filter((dial) => dial.transport).at(-1)!.transport!;
  /** As the engine does: stop, then let go of the stream. */
  const end = () => {
    supervisor.stop('the test ends');
    session.takeStream().destroy();
  };
  return { clock, events, network, core, session, supervisor, watcher, links, transport, end };
}

/** A world that is connected to its first endpoint. */
async function connected(setup?: Setup) {
  const w = world(setup);
  w.supervisor.start('test');
  await w.clock.advance(0);
  assert.equal(w.supervisor.state, 'connected');
  return w;
}

describe('the first connection', () => {
  test('goes from discovery over dialing to the first endpoint', async () => {
    const { clock, events, core, supervisor, links, network } = world();
    assert.equal(supervisor.state, 'idle');
    supervisor.start('hello');
    await clock.advance(0);
    assert.deepEqual(events.of('state'), [
      { from: 'idle', to: 'discovering', reason: 'hello' },
      { from: 'discovering', to: 'connecting', reason: 'hello' },
      { from: 'connecting', to: 'connected', reason: 'accepted by a' },
    ]);
    assert.deepEqual(events.names, ['state', 'topology', 'state', 'trace', 'state']);
    assert.deepEqual([core.log, links, network.log], [['connect a', 'connected'], ['up a'], ['a@0']]);
    assert.equal(supervisor.current?.id, 'a');
    assert.deepEqual(supervisor.counters, { attempts: 1, connects: 1, failovers: 0, failedPasses: 0 });
  });

  test('goes to the next endpoint at once when one refuses, cannot be reached or hangs up', async () => {
    const { clock, events, core, network, supervisor } = world({ ids: 'abcd' });
    core.answer('a', { refuse: 0x88 });
    network.answer('b', refused);
    core.answer('c', 'hang up');
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual(events.states, ['idle', 'discovering', 'connecting', 'connected']);
    assert.deepEqual(network.log, ['a@0', 'b@0', 'c@0', 'd@0']);
    assert.deepEqual(core.log, ['connect a', 'close', 'connect c', 'close', 'connect d', 'connected']);
    assert.deepEqual([core.errors, supervisor.counters.attempts], [[], 4]);
    assert.deepEqual(
      events.of('health').map(({ endpoint: id, state }) => `${id} ${state}`),
      ['a suspect', 'b suspect', 'c suspect'],
    );
  });

  test('goes on when CONNACK does not come, never with two CONNECTs open', async () => {
    const { clock, core, network, supervisor } = world();
    core.answer('a', 'silent');
    supervisor.start('test');
    await clock.advance(9_999);
    assert.deepEqual([core.log, network.openIds], [['connect a'], ['a']]);
    await clock.advance(1);
    assert.deepEqual(core.log, ['connect a', 'close', 'connect b', 'connected']);
    assert.deepEqual(network.openIds, ['b']);
  });

  test('spends attemptTimeoutMs on transport and CONNACK together', async () => {
    const { clock, core, network, supervisor } = world({ attemptTimeoutMs: 1_000 });
    network.answer('a', { afterMs: 200, gives: 'open' });
    core.answer('a', 'silent');
    supervisor.start('test');
    await clock.advance(999);
    assert.deepEqual(core.log, ['connect a']);
    await clock.advance(1);
    assert.equal(core.log[2], 'connect b');
  });

  test('names every endpoint in one error when all fail, and emits close as MQTT.js does', async () => {
    const { clock, core, network, supervisor } = world({ ids: 'ab' });
    network.answer('a', refused);
    network.answer('b', refused);
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual(core.log, ['close', 'error ERR_ALL_FAILED']);
    const error = core.errors[0] as FailoverError;
    assert.equal(
      error.message,
      'Every endpoint failed: Cannot reach a: ECONNREFUSED; Cannot reach b: ECONNREFUSED',
    );
    assert.ok(error.cause instanceof AggregateError);
    assert.deepEqual(
      error.cause.errors.map(({ code, endpoint: id }: FailoverError) => [code, id]),
      [
        ['ERR_TRANSPORT', 'a'],
        ['ERR_TRANSPORT', 'b'],
      ],
    );
  });

  test('leaves close to MQTT.js when it saw a connection', async () => {
    const { clock, core, supervisor } = world({ ids: 'a' });
    core.answer('a', 'hang up');
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual(core.log, ['connect a', 'close', 'error ERR_ALL_FAILED']);
  });

  test('fails for a list that this runtime cannot dial, and tries again later', async () => {
    const { clock, events, core, network, supervisor } = world({ refusal: () => 'not from here' });
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual([core.log, network.log], [['close', 'error ERR_NO_ENDPOINT'], []]);
    assert.deepEqual(events.states, ['idle', 'discovering', 'connecting', 'backoff']);
  });
});

describe('draining and down endpoints', () => {
  const list = [
    endpoint('down', { state: 'down' }),
    endpoint('draining', { state: 'draining' }),
    endpoint('up'),
  ];
  const resolve = async () => ({ endpoints: list, source: 'test' });

  test('are not raced against one that is slow', async () => {
    const { clock, network, supervisor } = world({ resolve });
    network.answer('up', { afterMs: 4_000, gives: 'open' });
    supervisor.start('test');
    await clock.advance(4_000);
    assert.deepEqual([network.log, supervisor.current?.id], [['up@0'], 'up']);
  });

  test('are tried in the same pass when nothing else is left, the draining one first (R134)', async () => {
    const { clock, network, supervisor } = world({ resolve });
    network.answer('up', refused);
    network.answer('draining', refused);
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual(network.log, ['up@0', 'draining@0', 'down@0']);
    assert.equal(supervisor.current?.id, 'down');
  });

  test('are not used instead of one that only has to rest', async () => {
    const { clock, network, core, supervisor, transport } = world({ resolve });
    supervisor.start('test');
    await clock.advance(0);
    transport().hangUp();
    await clock.advance(500);
    assert.deepEqual(network.log, ['up@0']);
    await clock.advance(1_000);
    assert.deepEqual([network.log.length, network.dials[1]?.id, core.errors], [2, 'up', []]);
  });
});

describe('an endpoint that answers a probe after it was out', () => {
  test('has just come back: reconnecting clients are let in one by one (R136)', async () => {
    const { clock, network, supervisor } = world({ ids: 'ab' });
    network.answer('a', refused);
    supervisor.start('test');
    await clock.advance(0);
    supervisor.probed('a', false);
    const reason = () => supervisor.candidates.explain()[0]?.reason;
    assert.equal(reason(), 'a probe failed');
    supervisor.probed('a', true);
    assert.equal(reason(), 'it has just come back, and takes its clients one by one');
    await clock.advance(60_000);
    assert.equal(reason(), 'a probe succeeded');
  });
});

describe('failed passes', () => {
  test('wait longer each time, for the pass and not for each endpoint (R145), until one works', async () => {
    const { clock, events, core, network, supervisor } = world({ ids: 'ab' });
    network.answer('a', refused);
    network.answer('b', refused);
    supervisor.start('test');
    await clock.advance(40_000);
    assert.deepEqual(
      network.log.filter((dial) => dial.startsWith('a')),
      ['a@0', 'a@2000', 'a@5000', 'a@10000', 'a@19000', 'a@35000'],
    );
    assert.equal(network.log.length, 12);
    assert.deepEqual(core.log.slice(0, 5), [
      'close',
      'error ERR_ALL_FAILED',
      'reconnect',
      'close',
      'error ERR_ALL_FAILED',
    ]);
    network.answer('b', 'open');
    await clock.advance(11_000);
    assert.equal(supervisor.current?.id, 'b');
    assert.deepEqual(events.states.slice(-4), ['connecting', 'backoff', 'connecting', 'connected']);
    assert.deepEqual(events.of('failover'), []);
    assert.equal(supervisor.counters.failedPasses, 6);
  });

  test('start from the beginning only after a link that held for resetAfterMs (R147)', async () => {
    for (const [heldMs, wait] of [
      [29_999, 5_000],
      [30_000, 2_000],
    ] as const) {
      const { clock, network, supervisor, transport } = world({ ids: 'a' });
      network.answer('a', refused);
      supervisor.start('test');
      await clock.advance(4_000);
      network.answer('a', 'open');
      await clock.advance(1_000);
      assert.deepEqual(network.log, ['a@0', 'a@2000', 'a@5000']);
      await clock.advance(heldMs);
      network.answer('a', refused);
      transport().hangUp();
      await clock.advance(50);
      assert.equal(supervisor.state, 'backoff');
      assert.equal(clock.nextIn, wait);
    }
  });

  test('do not keep the client from the one endpoint that comes back, though all are ejected (R134)', async () => {
    for (const alive of 'abc') {
      const { clock, events, network, supervisor } = world();
      for (const id of 'abc') network.answer(id, refused);
      supervisor.start('test');
      await clock.advance(300_000);
      const ejected = events.of('health').filter(({ state }) => state === 'ejected');
      assert.deepEqual([...new Set(ejected.map(({ endpoint: id }) => id))].sort(), ['a', 'b', 'c']);
      network.answer(alive, 'open');
      // The longest wait between passes, and the spread of a rest.
      await clock.advance(30_050);
      assert.equal(supervisor.current?.id, alive);
    }
  });

  test('are forgotten when the client is stopped and started', async () => {
    const { clock, network, supervisor, end } = world({ ids: 'a' });
    network.answer('a', refused);
    supervisor.start('test');
    await clock.advance(20_000);
    end();
    supervisor.start('afresh');
    await clock.advance(0);
    assert.deepEqual([supervisor.state, clock.nextIn], ['backoff', 2_000]);
  });

  test('ask discovery again', async () => {
    let asked = 0;
    const { clock, network, supervisor } = world({
      resolve: async () => ({ endpoints: [endpoint(asked++ === 0 ? 'a' : 'b')], source: 'test' }),
    });
    network.answer('a', refused);
    supervisor.start('test');
    await clock.advance(2_000);
    assert.deepEqual([network.log, supervisor.current?.id, asked], [['a@0', 'b@50'], 'b', 2]);
  });

  test('can be cut short', async () => {
    const { clock, events, network, supervisor } = world({ ids: 'a' });
    network.answer('a', refused);
    supervisor.start('test');
    await clock.advance(1_500);
    network.answer('a', 'open');
    supervisor.retryNow('the network is back');
    await clock.advance(0);
    assert.deepEqual(events.of('state').at(-2), {
      from: 'backoff',
      to: 'connecting',
      reason: 'the network is back',
    });
    assert.equal(supervisor.state, 'connected');
    supervisor.retryNow('again');
    assert.equal(supervisor.state, 'connected');
  });

  test('are not multiplied by impatience: one endpoint is tried once a second', async () => {
    const { clock, network, supervisor } = world({ ids: 'a' });
    network.answer('a', refused);
    supervisor.start('test');
    for (let i = 0; i < 100; i++) {
      await clock.advance(30);
      supervisor.retryNow('impatient');
    }
    await clock.advance(0);
    assert.ok(network.log.length <= 4, network.log.join(' '));
  });
});

describe('the loss of a link', () => {
  test('asks the endpoint that dropped us again, and goes on when it accepts and is silent', async () => {
    const { clock, core, network, supervisor, transport } = await connected();
    await clock.advance(60_000);
    core.answer('a', 'silent');
    transport().hangUp(new Error('ECONNRESET'));
    await clock.advance(50 + 499);
    assert.deepEqual([supervisor.state, network.openIds], ['connecting', ['a']]);
    await clock.advance(1);
    assert.deepEqual([supervisor.state, supervisor.current?.id], ['connected', 'b']);
    assert.deepEqual(network.openIds, ['b']);
  });

  test('leaves the only endpoint all its time for CONNACK', async () => {
    const { clock, core, supervisor, transport } = await connected({ ids: 'a' });
    await clock.advance(60_000);
    core.answer('a', 'silent');
    transport().hangUp(new Error('ECONNRESET'));
    await clock.advance(50 + 9_999);
    assert.equal(supervisor.state, 'connecting');
    await clock.advance(1);
    assert.equal(supervisor.state, 'backoff');
  });

  test('leaves everybody all their time again once a pass has failed', async () => {
    const { clock, core, supervisor, transport } = await connected({ ids: 'ab' });
    await clock.advance(60_000);
    core.answer('a', 'silent');
    core.answer('b', 'silent');
    transport().hangUp(new Error('ECONNRESET'));
    await clock.advance(50 + 500 + 10_000);
    assert.equal(supervisor.state, 'backoff');
    while (supervisor.state === 'backoff') await clock.advance(10);
    await clock.advance(9_980);
    assert.deepEqual([supervisor.state, core.log.at(-1)], ['connecting', 'connect a']);
  });

  test('spreads over a moment, then fails over, and tells how long it took', async () => {
    const { clock, events, core, network, supervisor, links, transport } = await connected();
    await clock.advance(60_000);
    network.answer('a', refused);
    transport().hangUp(new Error('ECONNRESET'));
    await clock.advance(49);
    assert.equal(supervisor.state, 'backoff');
    assert.equal(supervisor.current, undefined);
    await clock.advance(1);
    assert.deepEqual(events.states.slice(-4), ['connected', 'backoff', 'connecting', 'connected']);
    assert.deepEqual(events.of('failover'), [
      { from: 'a', to: 'b', reason: 'The connection to a ended: ECONNRESET', offlineMs: 50, resumed: false },
    ]);
    assert.deepEqual(events.names.slice(-2), ['state', 'failover']);
    assert.deepEqual(links, ['up a', 'down', 'up b']);
    assert.deepEqual(core.log, ['connect a', 'connected', 'close', 'reconnect', 'connect b', 'connected']);
    assert.equal(supervisor.counters.failovers, 1);
  });

  test('is no failover when the same endpoint takes us back', async () => {
    const { clock, events, supervisor, transport } = await connected();
    await clock.advance(60_000);
    transport().hangUp();
    await clock.advance(50);
    assert.equal(supervisor.current?.id, 'a');
    assert.deepEqual(events.of('failover'), []);
  });

  test('says in the event whether the session was resumed', async () => {
    const { clock, events, core, network, transport } = await connected();
    await clock.advance(60_000);
    network.answer('a', refused);
    core.answer('b', 'resume');
    transport().hangUp();
    await clock.advance(50);
    assert.equal(events.of('failover')[0]?.resumed, true);
  });

  test('is followed by the next attempt at once with spreadMs 0', async () => {
    const { clock, events, network, transport } = await connected({ spreadMs: 0 });
    await clock.advance(60_000);
    network.answer('a', refused);
    transport().hangUp();
    await clock.advance(0);
    assert.deepEqual(events.states.slice(-3), ['connected', 'connecting', 'connected']);
    assert.equal(events.of('failover')[0]?.offlineMs, 0);
  });

  test('leaves the endpoint alone until a second after the last attempt', async () => {
    const { clock, core, network, supervisor, transport } = await connected({ ids: 'a' });
    await clock.advance(400);
    transport().hangUp();
    await clock.advance(649);
    assert.deepEqual(network.log, ['a@0']);
    await clock.advance(1);
    assert.deepEqual(network.log, ['a@0', 'a@1050']);
    assert.deepEqual([supervisor.state, core.errors], ['connected', []]);
  });

  test('is no failed pass while an endpoint only rests', async () => {
    const { clock, core, network, supervisor, transport } = await connected({ ids: 'ab' });
    await clock.advance(400);
    network.answer('b', refused);
    transport().hangUp();
    await clock.advance(1_000);
    assert.deepEqual(
      core.errors.map(({ message }) => message),
      [],
    );
    assert.deepEqual([supervisor.state, supervisor.current?.id], ['connected', 'a']);
    assert.equal(supervisor.counters.failedPasses, 0);
  });

  test('waits as after failed passes when links keep dying young', async () => {
    const { clock, network, transport } = await connected({ ids: 'a' });
    for (let i = 0; i < 5; i++) {
      await clock.advance(1_000);
      transport().hangUp();
      await clock.advance(0);
      await clock.advance(clock.nextIn!);
    }
    assert.deepEqual(network.log, ['a@0', 'a@1050', 'a@2100', 'a@5100', 'a@9100', 'a@15100']);
  });

  test('forgets young deaths at the loss of a link that held', async () => {
    const { clock, transport } = await connected({ ids: 'a' });
    for (const heldMs of [2_000, 20_000, 30_000, 2_000, 20_000, 30_000]) {
      await clock.advance(heldMs);
      transport().hangUp();
      await clock.advance(0);
      assert.equal(clock.nextIn, 50);
      await clock.advance(50);
    }
  });

  test('counts young links against the endpoint until it is passed over', async () => {
    const { clock, events, supervisor, transport } = await connected({ ids: 'abc' });
    for (let i = 0; i < 2; i++) {
      await clock.advance(2_000);
      transport().hangUp();
      await clock.advance(50);
    }
    assert.deepEqual(
      events.of('health').map(({ endpoint: id, state }) => `${id} ${state}`),
      ['a suspect', 'a healthy', 'a ejected'],
    );
    assert.equal(supervisor.current?.id, 'b');
  });
});

describe('without reconnection', () => {
  test('one failed pass is the end', async () => {
    const { clock, events, core, network, supervisor } = world({
      ids: 'ab',
      reconnect: false,
      refreshMs: 5_000,
    });
    network.answer('a', refused);
    network.answer('b', refused);
    supervisor.start('test');
    await clock.advance(60_000);
    assert.deepEqual(events.states, ['idle', 'discovering', 'connecting', 'failed']);
    assert.deepEqual(
      [core.log, network.log],
      [
        ['close', 'error ERR_ALL_FAILED'],
        ['a@0', 'b@0'],
      ],
    );
    assert.equal(clock.pending, 0);
  });

  test('the first lost link is the last', async () => {
    const { clock, events, links, network, transport } = await connected({
      reconnect: false,
      refreshMs: 5_000,
    });
    await clock.advance(10_000);
    transport().hangUp();
    await clock.advance(60_000);
    assert.deepEqual(events.states.slice(-2), ['connected', 'closed']);
    assert.deepEqual([links, network.log], [['up a', 'down'], ['a@0']]);
    assert.equal(clock.pending, 0);
  });
});

describe('failed discovery', () => {
  const failing = (until: number) => {
    const asked: number[] = [];
    const clockRef: { clock?: VirtualClock } = {};
    const resolve = async () => {
      asked.push(clockRef.clock!.now() - 1_000_000);
      if (asked.length <= until) throw new Error('no registry');
      return { endpoints: [endpoint('a')], source: 'test' };
    };
    return { asked, resolve, clockRef };
  };

  test('is an error, waited out like a failed pass, and tried again', async () => {
    const { resolve, clockRef } = failing(99);
    const { clock, events, core, supervisor } = world({ resolve });
    clockRef.clock = clock;
    supervisor.start('test');
    await clock.advance(2_500);
    assert.deepEqual(events.states, ['idle', 'discovering', 'backoff', 'discovering', 'backoff']);
    assert.deepEqual(core.log.slice(0, 4), ['close', 'error ERR_DISCOVERY', 'close', 'error ERR_DISCOVERY']);
  });

  test('asks the source once per wait', async () => {
    const { asked, resolve, clockRef } = failing(3);
    const { clock, supervisor } = world({ resolve });
    clockRef.clock = clock;
    supervisor.start('test');
    await clock.advance(11_000);
    assert.deepEqual(asked, [0, 2_000, 5_000, 10_000]);
    assert.equal(supervisor.state, 'connected');
  });

  test('without reconnection is the end', async () => {
    const { resolve, clockRef } = failing(99);
    const { clock, events, supervisor } = world({ resolve, reconnect: false, refreshMs: 5_000 });
    clockRef.clock = clock;
    supervisor.start('test');
    await clock.advance(60_000);
    assert.deepEqual(events.states, ['idle', 'discovering', 'failed']);
    assert.equal(clock.pending, 0);
  });

  test('does not take away a list that is there', async () => {
    let asked = 0;
    const { clock, events, network, supervisor, transport } = await connected({
      resolve: async () => {
        if (asked++ > 0) throw new Error('gone');
        return { endpoints: [endpoint('a'), endpoint('b')], source: 'test' };
      },
      refreshMs: 5_000,
    });
    await clock.advance(20_000);
    assert.equal(events.of('discovery-error').length, 4);
    network.answer('a', refused);
    transport().hangUp();
    await clock.advance(50);
    assert.equal(supervisor.current?.id, 'b');
  });
});

describe('restarting', () => {
  test('leaves the present link politely and connects again', async () => {
    const { clock, events, core, supervisor, links } = await connected();
    await clock.advance(5_000);
    supervisor.restart('again');
    await clock.advance(0);
    assert.deepEqual(core.written, [{ cmd: 'disconnect' }]);
    assert.deepEqual(core.log, ['connect a', 'connected', 'close', 'reconnect', 'connect a', 'connected']);
    assert.deepEqual(events.states.slice(-3), ['connected', 'connecting', 'connected']);
    assert.deepEqual([links, events.of('failover')], [['up a', 'down', 'up a'], []]);
  });

  test('waits for the old link, a second at most, before it dials', async () => {
    const { clock, core, network, supervisor, transport } = await connected();
    await clock.advance(5_000);
    transport().answersEnd = false;
    supervisor.restart('again');
    supervisor.restart('and again');
    await clock.advance(999);
    assert.deepEqual(network.log, ['a@0']);
    await clock.advance(1);
    assert.deepEqual([network.log, core.written.length], [['a@0', 'a@6000'], 1]);
  });

  test('without a link cuts the wait short, or starts', async () => {
    const { clock, events, supervisor } = world();
    supervisor.restart('go');
    await clock.advance(0);
    assert.deepEqual(events.states, ['idle', 'discovering', 'connecting', 'connected']);
  });
});

describe('stopping', () => {
  const situations: Record<string, (w: ReturnType<typeof world>) => Promise<void>> = {
    idle: async () => {},
    discovering: async ({ supervisor }) => {
      supervisor.start('test');
    },
    'dialing, with a second candidate beside the first': async ({ clock, network, supervisor }) => {
      for (const id of 'abc') network.answer(id, 'silent');
      supervisor.start('test');
      await clock.advance(300);
    },
    'waiting for CONNACK': async ({ clock, core, supervisor }) => {
      core.answer('a', 'silent');
      supervisor.start('test');
      await clock.advance(0);
    },
    connected: async ({ clock, supervisor }) => {
      supervisor.start('test');
      await clock.advance(0);
    },
    'spreading after a loss': async ({ clock, supervisor, transport }) => {
      supervisor.start('test');
      await clock.advance(10_000);
      transport().hangUp();
      await settle();
    },
    'backing off': async ({ clock, network, supervisor }) => {
      for (const id of 'abc') network.answer(id, refused);
      supervisor.start('test');
      await clock.advance(0);
    },
    restarting: async ({ clock, supervisor, transport }) => {
      supervisor.start('test');
      await clock.advance(0);
      transport().answersEnd = false;
      supervisor.restart('test');
    },
    stopped: async ({ supervisor }) => supervisor.stop('before'),
  };

  for (const [name, arrange] of Object.entries(situations)) {
    test(`while ${name} leaves no timer and no transport, and a start connects again`, async () => {
      const w = world({ refreshMs: 5_000 });
      const { clock, events, network, core, supervisor, end } = w;
      await arrange(w);
      const dialed = network.log.length;
      end();
      await settle();
      assert.equal(supervisor.state, 'closed');
      assert.equal(clock.pending, 0);
      await clock.advance(120_000);
      assert.deepEqual([network.log.length, network.openIds, core.errors.length <= 1], [dialed, [], true]);
      assert.equal(events.states.at(-1), 'closed');

      for (const id of 'abc') {
        network.answer(id, 'open');
        core.answer(id, 'accept');
      }
      supervisor.start('again');
      await clock.advance(0);
      assert.deepEqual(events.states.slice(-4), ['closed', 'discovering', 'connecting', 'connected']);
      end();
      await settle();
      assert.equal(clock.pending, 0);
    });
  }

  test('while the application is asked for credentials leaves no timer', async () => {
    const { clock, network, supervisor, end } = world({ provider: () => new Promise(() => {}) });
    supervisor.start('test');
    await clock.advance(100);
    end();
    await settle();
    assert.deepEqual([supervisor.state, clock.pending, network.log], ['closed', 0, []]);
  });

  /** A life with every kind of event in it; `react` is called inside each, with its number. */
  async function life(react: (number: number, w: ReturnType<typeof world>) => void) {
    let asked = 0;
    const w = world({
      ids: 'abc',
      refreshMs: 7_000,
      resolve: async () => {
        asked += 1;
        if (asked === 1 || asked === 4) throw new Error('no registry');
        return { endpoints: [...(asked > 4 ? 'abd' : 'abc')].map((id) => endpoint(id)), source: 'test' };
      },
    });
    const { clock, core, events, network, supervisor, transport } = w;
    const names: string[] = [];
    const happened = (name: string) => {
      names.push(name);
      react(names.length, w);
    };
    events.listener = (event, payload) => {
      const { to, endpoint: id, state } = payload as { to?: string; endpoint?: string; state?: string };
      happened([event, to, id, state].filter(Boolean).join(' '));
    };
    for (const event of ['reconnect', 'close', 'error']) core.on(event, () => happened(event));
    for (const id of 'ab') network.answer(id, refused);
    network.answer('c', { afterMs: 100, gives: refused });
    supervisor.start('life');
    await clock.advance(10_000);
    network.answer('b', 'open');
    await clock.advance(20_000);
    const loseLink = async (error?: Error) => {
      if (supervisor.state === 'connected') transport().hangUp(error);
      await clock.advance(1_500);
    };
    await loseLink();
    await loseLink(new Error('reset'));
    network.answer('a', 'open');
    network.answer('b', refused);
    await loseLink();
    core.answer('a', { refuse: 0x88 });
    await clock.advance(10_000);
    await loseLink();
    await clock.advance(30_000);
    return { ...w, names };
  }

  test('inside any event is for good', async () => {
    const whole = await life(() => {});
    for (const kind of [
      'state',
      'topology',
      'health',
      'failover',
      'discovery-error',
      'reconnect',
      'close',
      'error',
    ])
      assert.ok(
        whole.names.some((name) => name.startsWith(kind)),
        `the life has no ${kind}`,
      );
    const wrong: string[] = [];
    for (let at = 1; at <= whole.names.length; at += 1) {
      let dialed = -1;
      let connects = -1;
      const { clock, core, events, network, supervisor, names } = await life((number, w) => {
        if (number !== at) return;
        w.end();
        dialed = w.network.log.length;
        connects = w.core.log.filter((line) => line.startsWith('connect ')).length;
      });
      const faults = [
        supervisor.state === 'closed' ? '' : `is ${supervisor.state}`,
        events.states.at(-1) === 'closed' ? '' : `last told ${events.states.at(-1)}`,
        clock.pending === 0 ? '' : `${clock.pending} timers`,
        network.log.length === dialed ? '' : `dials ${network.log.slice(dialed)}`,
        network.openIds.length === 0 ? '' : `open ${network.openIds}`,
        core.log.filter((line) => line.startsWith('connect ')).length === connects ? '' : 'sends CONNECT',
      ].filter(Boolean);
      if (faults.length > 0) wrong.push(`${at} ${names[at - 1]}: ${faults.join(', ')}`);
    }
    assert.deepEqual(wrong, []);
  });
});

describe('what the broker says', () => {
  test('wrong credentials everywhere lead to a long wait', async () => {
    const { clock, events, core, supervisor } = world();
    for (const id of 'abc') core.answer(id, { refuse: 0x86 });
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual(events.states, ['idle', 'discovering', 'connecting', 'auth-wait']);
    assert.equal(clock.nextIn, 45_000);
    supervisor.stop('test');
    assert.equal(clock.pending, 0);
  });

  test('an endpoint that cannot serve us is not asked again while others may', async () => {
    const { clock, core, network, supervisor } = world({ ids: 'ab' });
    core.answer('a', { refuse: 0x84 });
    network.answer('b', refused);
    supervisor.start('test');
    await clock.advance(6_000);
    assert.deepEqual(network.log, ['a@0', 'b@0', 'b@2000', 'b@5000']);
    assert.equal(supervisor.state, 'backoff');
  });

  test('endpoints of which none can serve us are the end, with the reason of each (C2)', async () => {
    const { clock, events, core, network, supervisor } = world({ ids: 'ab' });
    for (const id of 'ab') core.answer(id, { refuse: 0x84 });
    supervisor.start('test');
    await clock.advance(600_000);
    assert.deepEqual([network.log, supervisor.state, clock.pending], [['a@0', 'b@0'], 'failed', 0]);
    assert.deepEqual(
      events.of('health').map(({ endpoint: id, state }) => `${id} ${state}`),
      ['a unusable', 'b unusable'],
    );
    const [error] = core.errors as FailoverError[];
    assert.deepEqual([core.errors.length, error?.code, error?.retryable], [1, 'ERR_ALL_FAILED', false]);
    assert.match(error?.message ?? '', /^No endpoint can serve this client: a refused CONNECT .*; b refused/);
    const errors = (error?.cause as AggregateError | undefined)?.errors ?? [];
    assert.deepEqual(
      errors.map(({ endpoint: id }) => id),
      ['a', 'b'],
    );
  });

  test('endpoints of which none can serve us are named also when that takes several passes', async () => {
    const { clock, core, network, supervisor } = world({ ids: 'ab' });
    core.answer('a', { refuse: 0x84 });
    network.answer('b', refused);
    supervisor.start('test');
    await clock.advance(0);
    network.answer('b', 'open');
    core.answer('b', { refuse: 0x84 });
    await clock.advance(2_000);
    assert.equal(supervisor.state, 'failed');
    assert.match(core.errors.at(-1)?.message ?? '', /: a refused CONNECT .*; b refused CONNECT/);
  });

  test('endpoints that could not serve us are asked again when the user insists', async () => {
    const { clock, core, network, supervisor } = world({ ids: 'a' });
    core.answer('a', { refuse: 0x84 });
    supervisor.start('test');
    await clock.advance(60_000);
    core.answer('a', 'accept');
    supervisor.restart('reconnect() was called');
    await clock.advance(0);
    assert.deepEqual([network.log, supervisor.state], [['a@0', 'a@60000'], 'connected']);
  });

  test('an endpoint that could not serve us is asked again when the user insists during a wait, too', async () => {
    const { clock, core, network, supervisor } = world({ ids: 'ab' });
    core.answer('a', { refuse: 0x84 });
    network.answer('b', refused);
    supervisor.start('test');
    await clock.advance(500);
    core.answer('a', 'accept');
    await clock.advance(1_000);
    supervisor.restart('reconnect() was called');
    await clock.advance(0);
    assert.equal(supervisor.current?.id, 'a');
  });

  test('a client id that is not valid ends the client', async () => {
    const { clock, events, core, network, supervisor } = world();
    core.answer('a', { refuse: 0x85 });
    supervisor.start('test');
    await clock.advance(60_000);
    assert.deepEqual(events.states, ['idle', 'discovering', 'connecting', 'failed']);
    assert.deepEqual([network.log, core.errors.length, clock.pending], [['a@0'], 1, 0]);
  });

  test('a second take-over within a minute is a duel: we step back and say until when', async () => {
    const { clock, events, session, supervisor } = await connected();
    const takeOver = async () => {
      await clock.advance(10_000);
      session.packetReceived({ cmd: 'disconnect', reasonCode: 0x8e });
      await clock.advance(60);
    };
    await takeOver();
    assert.equal(supervisor.state, 'connected');
    await takeOver();
    assert.equal(supervisor.state, 'conflict');
    const [{ clientId, endpoint: id, retryAt }] = events.of('conflict') as [FailoverConflict];
    assert.deepEqual([clientId, id, retryAt], ['c', 'a', clock.wallNow() - 60 + 45_000]);
    assert.deepEqual(events.of('health'), []);
    supervisor.retryNow('the user insists');
    await clock.advance(0);
    assert.equal(supervisor.state, 'connected');
  });
});

describe('a link that ended over something we sent (R92)', () => {
  const closed = (code?: number) => Object.assign(new Error('closed'), { closeCode: code });

  for (const [how, cause] of [
    ['closed without a word', undefined],
    ['closed abnormally, WebSocket', closed(1006)],
  ] as const)
    for (const suspected of [true, false])
      test(`${suspected ? 'blames no endpoint' : 'blames it unless so'}: ${how}`, async () => {
        const w = await connected({ ids: 'ab', suspected });
        for (let i = 0; i < 4; i++) {
          w.transport().hangUp(cause);
          await w.clock.advance(5_000);
        }
        assert.equal(w.events.of('health').length > 0, !suspected);
      });

  test('by a WebSocket close while it was young leads to the same endpoint after its rest, as DISCONNECT does', async () => {
    for (const end of ['close', 'disconnect'] as const) {
      const w = await connected({ ids: 'ab', suspected: true });
      await w.clock.advance(200);
      if (end === 'close') w.transport().hangUp(closed(1009));
      else w.session.packetReceived({ cmd: 'disconnect', reasonCode: 0x95 });
      await w.clock.advance(2_000);
      assert.deepEqual(w.network.log, ['a@0', 'a@1000'], end);
    }
  });

  test('is no take-over by a twin, MQTT 3.1.1', async () => {
    for (const suspected of [true, false]) {
      const w = await connected({ ids: 'ab', suspected });
      w.core.options.protocolVersion = 4;
      for (let i = 0; i < 5; i++) {
        w.transport().hangUp();
        await w.clock.advance(5_000);
      }
      assert.equal(w.events.states.includes('conflict'), !suspected);
    }
  });
});

interface FailoverConflict {
  readonly clientId: string;
  readonly endpoint: string;
  readonly retryAt: number;
}
