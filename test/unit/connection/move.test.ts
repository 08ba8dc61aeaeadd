/**
 * Planned moves and restarts, told as sequences of states, events and packets.
 *
 * World: real watcher, health book, dialer, session and options; the network, MQTT.js with its brokers, the clock and
 * chance are fakes, and so are the publishes that a move waits for. Endpoints are tried in the order of the list; the
 * client is connected to `a`, the first.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MoveOptions } from '../../../src/connection/move.js';
import { Credentials } from '../../../src/dial/credentials.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import { FailoverError } from '../../../src/errors.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';
import { connectOptionsOf, sessionOf, supervisorOf } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

const refused = new Error('ECONNREFUSED');
const options = {
  minMs: 1_000,
  baseMs: 2_000,
  maxMs: 30_000,
  resetAfterMs: 30_000,
  spreadMs: 100,
  connackTimeoutMs: 10_000,
  attemptTimeoutMs: Number.POSITIVE_INFINITY,
  reconnect: true,
};

/** Connected to `a` for a minute. */
async function connected(ids = 'abc') {
  const clock = new VirtualClock();
  const random = fixedRandom(0.5);
  const events = new Recorder();
  const network = new FakeNetwork(clock);
  const core = new FakeCore();
  core.options.protocolVersion = 5;
  let list = [...ids].map((id) => endpoint(id));
  const watcher = new Watcher({
    resolver: { resolve: async () => ({ endpoints: list, source: 'test' }) },
    clock,
    random,
    events,
    refreshMs: undefined,
  });
  const connectOptions = connectOptionsOf(core);
  const session = sessionOf(core, clock, connectOptions);
  const credentials = new Credentials(undefined, clock);
  /** What the users of links are told, in the same list as what goes to MQTT.js. */
  const log = core.log;
  const delivery = { quiesce: async () => true };
  const supervisor = supervisorOf({
    watcher,
    network,
    credentials,
    session,
    connectOptions,
    core,
    links: {
      linkUp: ({ endpoint: { id } }) => log.push(`up ${id}`),
      linkDown: () => log.push('down') < 0,
      quiesce: () => {
        log.push(`quiesce with ${network.openIds} open`);
        return delivery.quiesce();
      },
      resume: () => log.push('resume'),
    },
    clock,
    random,
    events,
    refusal: ({ id }) => (id === 'x' ? 'not from here' : undefined),
    options,
  });
  core.writePacket = ({ cmd }) => log.push(cmd);
  supervisor.start('test');
  await clock.advance(60_000);
  assert.equal(supervisor.current?.id, 'a');
  log.length = 0;
  const before = events.names.length;
  /** The last transport to `id`. */
  const transport = (id = 'a') => network.dials.filter((dial) => dial.id === id).at(-1)!.transport!;
  /** Begins a move; `outcome` tells how far it is. */
  const move = (to = 'b', how: MoveOptions = { event: 'move', patient: false }) => {
    const told = { outcome: 'pending' as string, error: undefined as FailoverError | undefined };
    supervisor.move(to, 'test', how).then(
      () => {
        told.outcome = 'done';
      },
      (error: FailoverError) => {
        told.outcome = error.code;
        told.error = error;
      },
    );
    return told;
  };
  /** As the engine does: stop, then let go of the stream. */
  const end = () => {
    supervisor.stop('the test ends');
    session.takeStream().destroy();
  };
  const statesSince = () => events.states.slice(3);
  /** Events since the client was connected, states left out. */
  const eventsSince = () => events.names.slice(before).filter((name) => name !== 'state' && name !== 'trace');
  return {
    clock,
    core,
    delivery,
    events,
    log,
    network,
    session,
    supervisor,
    transport,
    move,
    end,
    statesSince,
    eventsSince,
    /** The operator drains an endpoint. */
    drain: async (draining: string) => {
      list = list.map((each) => (each.id === draining ? endpoint(draining, { state: 'draining' }) : each));
      await watcher.refresh();
    },
  };
}

describe('a move', () => {
  test('opens the transport, holds publishes, says DISCONNECT, and only then CONNECT (R109)', async () => {
    const { clock, log, move, network, statesSince, supervisor } = await connected();
    const told = move();
    assert.equal(supervisor.state, 'moving');
    await clock.advance(0);
    assert.deepEqual(log, [
      'quiesce with a,b open',
      'down',
      'disconnect',
      'close',
      'connect b',
      'up b',
      'connected',
    ]);
    assert.deepEqual(statesSince(), ['connected', 'moving', 'connected']);
    assert.deepEqual([told.outcome, supervisor.current?.id, network.openIds], ['done', 'b', ['b']]);
  });

  test('is told of in one event of the kind asked for, and is no failover', async () => {
    for (const event of ['move', 'failback'] as const) {
      const { clock, core, events, eventsSince, move, supervisor, transport } = await connected();
      core.answer('b', 'resume');
      transport().answersEnd = false;
      move('b', { event, patient: true });
      await clock.advance(1_000);
      assert.deepEqual(events.of(event), [
        { from: 'a', to: 'b', reason: 'test', gapMs: 1_000, resumed: true },
      ]);
      assert.deepEqual(
        eventsSince().filter((name) => name !== 'health'),
        [event],
      );
      assert.deepEqual([supervisor.counters.failovers, supervisor.counters.connects], [0, 2]);
    }
  });

  test('to where the client is renews the link', async () => {
    const { clock, log, move, statesSince } = await connected();
    const told = move('a');
    await clock.advance(0);
    const steps = ['quiesce with a,a open', 'down', 'disconnect', 'close', 'connect a', 'up a', 'connected'];
    assert.deepEqual(log, steps);
    assert.deepEqual([told.outcome, statesSince()], ['done', ['connected', 'moving', 'connected']]);
  });

  test('to an endpoint that is not known, or cannot be dialed here, is refused', async () => {
    const { clock, log, move, network, supervisor } = await connected('abx');
    const told = [move('nowhere'), move('x'), move('mqtt://u:secret@h')];
    await clock.advance(0);
    for (const { outcome, error } of told) {
      assert.equal(outcome, 'ERR_NO_ENDPOINT');
      assert.ok(!error!.message.includes('secret'), error!.message);
    }
    assert.deepEqual([supervisor.state, log, network.log.length], ['connected', [], 1]);
  });

  test('is refused while there is no link, and while another is under way', async () => {
    const { clock, move, network, supervisor, transport, end } = await connected();
    network.answer('b', 'silent');
    move();
    const second = move('c');
    await clock.advance(0);
    assert.equal(second.outcome, 'ERR_LINK');
    transport().hangUp();
    await settle();
    const third = move('c');
    await settle();
    assert.deepEqual(
      [supervisor.state, third.outcome, third.error?.retryable],
      ['backoff', 'ERR_LINK', true],
    );
    end();
    const fourth = move('c');
    await settle();
    assert.equal(fourth.outcome, 'ERR_LINK');
  });

  test('and back again needs no rest', async () => {
    const { clock, move, network, supervisor } = await connected();
    move('b');
    await clock.advance(0);
    const back = move('a');
    await clock.advance(0);
    assert.deepEqual([back.outcome, supervisor.current?.id], ['done', 'a']);
    assert.deepEqual(network.log, ['a@0', 'b@60000', 'a@60000']);
  });
});

describe('a move that fails', () => {
  test('when no transport opens leaves the link as it is', async () => {
    for (const [answer, code, ms] of [
      [refused, 'ERR_TRANSPORT', 0],
      ['silent', 'ERR_TRANSPORT_TIMEOUT', 5_000],
    ] as const) {
      const { clock, events, log, move, network, statesSince, supervisor } = await connected();
      network.answer('b', answer);
      const told = move();
      await clock.advance(ms);
      assert.deepEqual([told.outcome, told.error?.endpoint], [code, 'b']);
      assert.deepEqual(statesSince(), ['connected', 'moving', 'connected']);
      assert.equal(events.of('state').at(-1)?.reason, 'the move to b failed');
      assert.deepEqual([log, network.openIds, supervisor.current?.id], [['resume'], ['a'], 'a']);
    }
  });

  test('when publishes stay unacknowledged, and it is patient, gives up and resumes', async () => {
    const { clock, delivery, log, move, network, statesSince } = await connected();
    delivery.quiesce = async () => false;
    const told = move('b', { event: 'failback', patient: true });
    await clock.advance(0);
    assert.equal(told.outcome, 'ERR_LINK');
    assert.match(told.error!.message, /publishes are unacknowledged/);
    assert.deepEqual(log, ['quiesce with a,b open', 'resume']);
    assert.deepEqual([statesSince(), network.openIds], [['connected', 'moving', 'connected'], ['a']]);
  });

  test('does not for unacknowledged publishes when it is impatient', async () => {
    const { clock, delivery, move, supervisor } = await connected();
    delivery.quiesce = async () => false;
    const told = move();
    await clock.advance(0);
    assert.deepEqual([told.outcome, supervisor.current?.id], ['done', 'b']);
  });

  test('away from a draining endpoint goes on to another that is up when the target refuses CONNECT', async () => {
    const { clock, core, drain, move, network, supervisor } = await connected();
    await drain('a');
    core.answer('b', { refuse: 0x88 });
    const moving = move();
    await clock.advance(0);
    assert.deepEqual([moving.outcome, supervisor.current?.id], ['ERR_REFUSED', 'c']);
    assert.deepEqual(
      network.dials.map(({ id }) => id),
      ['a', 'b', 'c'],
    );
  });

  test('away from a draining endpoint goes back to it when nothing else is left', async () => {
    const { clock, core, drain, move, supervisor } = await connected('ab');
    await drain('a');
    core.answer('b', { refuse: 0x88 });
    const moving = move();
    await clock.advance(0);
    assert.deepEqual([moving.outcome, supervisor.current?.id], ['ERR_REFUSED', 'a']);
  });

  test('when the target refuses CONNECT goes back to the old endpoint first, at once (R166)', async () => {
    const { clock, core, events, log, move, network, statesSince, supervisor } = await connected();
    core.answer('c', { refuse: 0x88 });
    const told = move('c');
    await clock.advance(0);
    assert.deepEqual([told.outcome, supervisor.current?.id], ['ERR_REFUSED', 'a']);
    assert.deepEqual(network.log, ['a@0', 'c@60000', 'a@60000']);
    assert.deepEqual(log.slice(-5), ['connect c', 'close', 'connect a', 'up a', 'connected']);
    assert.deepEqual(statesSince(), ['connected', 'moving', 'connected']);
    assert.deepEqual([events.of('move'), events.of('failover')], [[], []]);
  });

  test('goes back to an old endpoint that is not the best, before better ones', async () => {
    const { clock, core, move, network, supervisor } = await connected();
    move('c');
    await clock.advance(10_000);
    core.answer('b', { refuse: 0x88 });
    move('b');
    await clock.advance(0);
    assert.deepEqual([network.log.slice(-2), supervisor.current?.id], [['b@70000', 'c@70000'], 'c']);
  });

  test('and cannot go back takes any other endpoint', async () => {
    const { clock, core, move, network, supervisor } = await connected();
    core.answer('b', { refuse: 0x88 });
    network.answer('a', refused);
    const told = move();
    await clock.advance(0);
    assert.deepEqual(
      [told.outcome, supervisor.state, supervisor.current?.id],
      ['ERR_REFUSED', 'connected', 'c'],
    );
  });

  test('and finds nobody waits as after any failed pass', async () => {
    const { clock, core, move, network, supervisor, statesSince } = await connected();
    core.answer('b', { refuse: 0x88 });
    for (const id of 'ac') network.answer(id, refused);
    const told = move();
    await clock.advance(0);
    assert.deepEqual([told.outcome, supervisor.state], ['ERR_ALL_FAILED', 'backoff']);
    network.answer('a', 'open');
    await clock.advance(2_000);
    assert.deepEqual(statesSince(), ['connected', 'moving', 'backoff', 'connecting', 'connected']);
    assert.equal(supervisor.current?.id, 'a');
  });
});

describe('a link that is lost during a move', () => {
  test('while the new transport opens fails over as usual', async () => {
    const { clock, events, move, network, statesSince, supervisor, transport } = await connected();
    network.answer('b', 'silent');
    const told = move();
    await clock.advance(100);
    network.answer('a', refused);
    transport().hangUp();
    await clock.advance(50);
    assert.notEqual(told.outcome, 'pending');
    assert.deepEqual(statesSince(), ['connected', 'moving', 'backoff', 'connecting']);
    network.answer('b', 'open');
    await clock.advance(250);
    assert.deepEqual([supervisor.current?.id, events.of('failover').length, events.of('move')], ['c', 1, []]);
    assert.deepEqual(network.openIds, ['c']);
  });

  test('while publishes are waited for fails over, and closes the new transport', async () => {
    const { clock, delivery, events, move, network, statesSince, supervisor, transport } = await connected();
    let quiet: (quiet: boolean) => void = () => {};
    delivery.quiesce = () =>
      new Promise((resolve) => {
        quiet = resolve;
      });
    const told = move();
    await clock.advance(100);
    transport().hangUp();
    await settle();
    quiet(false);
    await clock.advance(50);
    assert.equal(told.outcome, 'ERR_LINK');
    assert.deepEqual(statesSince(), ['connected', 'moving', 'backoff', 'connecting', 'connected']);
    assert.deepEqual([events.of('move'), network.openIds], [[], [supervisor.current?.id]]);
  });
});

describe('a new transport that breaks before its turn', () => {
  test('is no uncaught error, and the old link stays', async () => {
    const { clock, delivery, move, supervisor, transport } = await connected();
    delivery.quiesce = () => new Promise((resolve) => clock.setTimeout(() => resolve(true), 1_000));
    const told = move();
    await clock.advance(500);
    assert.ok(transport('b').listenerCount('error') > 0, 'an error of the transport would be uncaught');
    transport('b').hangUp(new Error('ECONNRESET'));
    await clock.advance(500);
    assert.deepEqual(
      [told.outcome, supervisor.state, supervisor.current?.id],
      ['ERR_LINK', 'connected', 'a'],
    );
  });
});

describe('stopping', () => {
  type World = Awaited<ReturnType<typeof connected>>;
  /** What makes a move stay where the name says. */
  const situations: Record<string, (w: World) => void> = {
    'the transport opens': ({ network }) => network.answer('b', 'silent'),
    'publishes are waited for': ({ clock, delivery }) => {
      delivery.quiesce = () => new Promise((resolve) => clock.setTimeout(() => resolve(true), 500));
    },
    'the old connection closes': ({ transport }) => {
      transport().answersEnd = false;
    },
    'CONNACK is waited for': ({ core }) => core.answer('b', 'silent'),
  };

  for (const [name, arrange] of Object.entries(situations)) {
    const arranged = async () => {
      const w = await connected();
      arrange(w);
      const told = w.move();
      await w.clock.advance(100);
      assert.equal(w.supervisor.state, 'moving');
      w.end();
      await w.clock.advance(1_000);
      return { ...w, told };
    };

    test(`while ${name} leaves no timer and no transport, and sends no CONNECT`, async () => {
      const { clock, events, log, network, supervisor } = await arranged();
      const connects = log.filter((line) => line.startsWith('connect ')).length;
      assert.deepEqual([supervisor.state, clock.pending, network.openIds], ['closed', 0, []]);
      await clock.advance(120_000);
      assert.deepEqual([network.log.length, events.of('move'), events.states.at(-1)], [2, [], 'closed']);
      assert.equal(log.filter((line) => line.startsWith('connect ')).length, connects);
    });

    test(`while ${name} rejects the move with an error of ours`, async () => {
      const { told } = await arranged();
      assert.ok(told.error instanceof FailoverError, told.outcome);
    });
  }

  test('in a listener that hears of the state is for good', async () => {
    const wrong: string[] = [];
    for (let at = 1; at <= 4; at += 1) {
      const { clock, events, move, network, supervisor, end } = await connected();
      let heard = 0;
      let after = -1;
      events.listener = () => {
        heard += 1;
        if (heard !== at) return;
        end();
        after = events.names.length;
      };
      move();
      await clock.advance(60_000);
      const late = events.names.slice(after);
      if (supervisor.state !== 'closed' || late.length > 0 || clock.pending > 0 || network.openIds.length > 0)
        wrong.push(`${at}: ${supervisor.state}, ${late}, ${clock.pending} timers, open ${network.openIds}`);
    }
    assert.deepEqual(wrong, []);
  });
});

describe('a restart', () => {
  test('says DISCONNECT and comes back by the ranking', async () => {
    const { clock, log, statesSince, supervisor } = await connected();
    supervisor.restart('again');
    await clock.advance(0);
    assert.deepEqual(log, ['down', 'disconnect', 'close', 'reconnect', 'connect a', 'up a', 'connected']);
    assert.deepEqual(statesSince(), ['connected', 'connecting', 'connected']);
  });

  test('during a move ends the move', async () => {
    const { clock, events, move, network, supervisor } = await connected();
    network.answer('b', 'silent');
    const told = move();
    await clock.advance(100);
    supervisor.restart('again');
    await clock.advance(0);
    assert.notEqual(told.outcome, 'pending');
    assert.deepEqual([supervisor.current?.id, network.openIds, events.of('move')], ['a', ['a'], []]);
  });
});
