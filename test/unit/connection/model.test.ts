/**
 * The state machine of a client against a model of it, over random lives (R140).
 *
 * The model is the table of legal transitions and the invariants below, checked after every event. World: the real
 * client with MQTT.js; brokers in memory, virtual clock, seeded chance (see `fakes/random-life.ts`). A failure names
 * its seed: `MODEL_SEED=17 node --import tsx --test test/unit/connection/model.test.ts` lives that life alone.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ClientState, isFailoverError } from '../../../src/index.js';
import { expectNoNewHandles, type HandleSnapshot, openHandles } from '../../support/handles.js';
import { type Change, Life } from '../fakes/random-life.js';
import { rest } from '../fakes/virtual-client.js';

const LIVES = 200;
const EVENTS_PER_LIFE = 500;

/** Where a client may go from each state. `closed` is left out: it may be ended anywhere. */
const LEGAL: Readonly<Partial<Record<ClientState, readonly ClientState[]>>> = {
  idle: ['discovering'],
  discovering: ['connecting', 'backoff', 'failed'],
  connecting: ['connected', 'backoff', 'auth-wait', 'failed'],
  connected: ['connecting', 'moving', 'backoff', 'auth-wait', 'conflict'],
  moving: ['connected', 'connecting', 'backoff', 'auth-wait', 'conflict', 'failed'],
  backoff: ['connecting', 'discovering'],
  'auth-wait': ['connecting'],
  conflict: ['connecting'],
  failed: ['discovering', 'backoff'],
  closed: ['discovering', 'backoff'],
};

/** Legal, but too rare to be met in every run. */
const RARE: ReadonlySet<string> = new Set(['moving → conflict', 'closed → backoff']);

/** States in which the client wants nothing until it is asked. */
const AT_REST: ReadonlySet<ClientState> = new Set<ClientState>(['idle', 'closed', 'failed']);

/** CONNECTs within a minute that nobody but the client itself asked for, at most. */
const CONNECTS_PER_MINUTE = 30;
/** Milliseconds between two CONNECTs at one node, less what a timer may be early. */
const ENDPOINT_GAP_MS = 980;

/** What the invariants need to remember. */
class Model {
  state: ClientState = 'idle';
  /** Whether a client that has failed waits for another list. */
  listens = false;
  readonly visited = new Set<string>();
  mostPerMinute = 0;
  #connects: { readonly id: string; readonly at: number }[] = [];

  changed({ from, to, reason }: Change): void {
    assert.equal(from, this.state, 'a transition starts where the last one ended');
    assert.ok(to === 'closed' || LEGAL[from]?.includes(to), `${from} → ${to} is legal`);
    assert.ok(typeof reason === 'string' && reason.length > 0, `${from} → ${to} has a reason`);
    this.state = to;
    this.listens = to === 'failed' && reason.startsWith('No endpoint can serve this client');
    this.visited.add(`${from} → ${to}`);
  }

  /** CONNECT arrives by the one transport that has sent it. */
  connect(life: Life, id: string): void {
    const now = life.clock.now();
    const open = [...life.network.openTransports].filter(({ connected }) => connected);
    assert.equal(open.length, 1, `one CONNECT is open, not those at ${open.map((each) => each.id)}`);
    const last = this.#connects.findLast((each) => each.id === id);
    const provoked = last && life.provokedAt >= last.at;
    const gap = last ? now - last.at : Number.POSITIVE_INFINITY;
    assert.ok(provoked || gap >= ENDPOINT_GAP_MS, `${id} had ${gap} ms of rest`);
    this.#connects = this.#connects.filter(({ at }) => now - at < 60_000 && at > life.provokedAt);
    this.#connects.push({ id, at: now });
    this.mostPerMinute = Math.max(this.mostPerMinute, this.#connects.length);
    assert.ok(this.#connects.length <= CONNECTS_PER_MINUTE, `${this.#connects.length} CONNECTs in a minute`);
  }

  /** Holds after every event, when all that needs no time has happened. */
  check(life: Life): void {
    const { client, network, own, state } = life;
    const status = client.status();
    assert.equal(status.state, this.state, 'every transition is told');
    const open = [...network.openTransports].filter(({ connected }) => connected);
    assert.ok(open.length <= 1, `one CONNECT is open, not ${open.length}`);
    assert.ok(network.dialing + network.openTransports.size <= 5, 'dials are bounded');
    if (AT_REST.has(state)) {
      // A polite end gives the peer a second.
      if (life.ending > 0) return;
      // Its next question, and the deadline of one that is under way.
      assert.ok(own.pending <= 2, 'discovery alone goes on for one that no endpoint of the list can serve');
      assert.deepEqual(
        [this.listens ? 0 : own.pending, network.dialing, network.openTransports.size],
        [0, 0, 0],
        `no timer, dial or connection while ${state}`,
      );
      return;
    }
    assert.ok(own.pending > 0, `something is under way while ${state}`);
    if (state !== 'connected') return;
    assert.deepEqual(
      open.map(({ id }) => id),
      [status.current],
      'the link is where the status says',
    );
  }

  /** Holds when the client has come to its end, or has had all the time it needs. */
  checkSettled(life: Life): void {
    const taken = new Set(life.network.taken);
    for (const [payload, settled] of life.settlements) {
      assert.equal(settled.length, 1, `publish ${payload} was settled by ${settled.join(', ') || 'nothing'}`);
      if (settled[0]?.startsWith('ok at QoS') && settled[0] !== 'ok at QoS 0')
        assert.ok(taken.has(payload), `publish ${payload} reached a broker`);
    }
  }
}

/** Lives one life; then all is well, and it must find back. */
async function live(seed: number): Promise<Model> {
  const model = new Model();
  let violation: unknown;
  // A listener's exception would be the client's to handle.
  const guarded = (check: () => void) => {
    try {
      check();
    } catch (error) {
      violation ??= error;
    }
  };
  const life = new Life(seed, (change) => guarded(() => model.changed(change)));
  life.network.onConnect = ({ id }) => guarded(() => model.connect(life, id));
  const verify = () => {
    if (violation) throw violation;
    model.check(life);
  };
  try {
    for (let event = 0; event < EVENTS_PER_LIFE; event += 1) {
      await life.step();
      verify();
    }
    life.heal();
    await life.pass(10_000);
    verify();
    const isBack = () => {
      const { state, current, home } = life.client.status();
      return (
        state === 'connected' &&
        (!life.clean || current === home) &&
        [...life.settlements.values()].every((s) => s.length > 0)
      );
    };
    // The slow lane and a duel's hold-off last a quarter of an hour at most.
    for (let minute = 0; minute < 20 && !isBack(); minute += 1) {
      // One that never reconnects by itself may also lose a link of the worse days, over a publish of those.
      if (AT_REST.has(life.state)) life.command('reconnect');
      await life.pass(60_000);
    }
    verify();
    assert.equal(life.state, 'connected', 'the client finds back when all is well');
    model.checkSettled(life);
    const { current, home } = life.client.status();
    if (life.clean) assert.equal(current, home, 'and goes home');
    for (const error of life.errors)
      assert.ok(
        isFailoverError(error) && /^ERR_(ALL_FAILED|DISCOVERY|NO_ENDPOINT)$/.test(error.code),
        `${error}`,
      );
    life.publish();
    life.command('end');
    for (let second = 0; second < 10; second += 1) await life.pass(1_000);
    verify();
    assert.deepEqual([life.state, life.ending], ['closed', 0]);
    model.checkSettled(life);
  } catch (error) {
    const tail = life.story.slice(-40).join('\n  ');
    throw new Error(`seed ${seed}, MQTT ${life.protocolVersion}: ${(error as Error).message}\n  ${tail}`, {
      cause: error,
    });
  } finally {
    life.client.end(true);
    await rest();
  }
  return model;
}

describe('over random lives the client', () => {
  let handles: HandleSnapshot;
  before(() => {
    handles = openHandles();
  });
  after(() => expectNoNewHandles(handles));

  test(`keeps to its state machine: ${LIVES} lives of ${EVENTS_PER_LIFE} events`, async (t) => {
    const only = process.env.MODEL_SEED;
    const seeds = only ? [Number(only)] : Array.from({ length: LIVES }, (_, n) => n + 1);
    const visited = new Set<string>();
    let most = 0;
    for (const seed of seeds) {
      const model = await live(seed);
      for (const transition of model.visited) visited.add(transition);
      most = Math.max(most, model.mostPerMinute);
    }
    t.diagnostic(`${visited.size} transitions seen; at most ${most} CONNECTs in a minute`);
    if (only) return;
    const legal = Object.entries(LEGAL).flatMap(([from, to]) => to.map((each) => `${from} → ${each}`));
    const unseen = legal.filter((each) => !visited.has(each) && !RARE.has(each));
    assert.deepEqual(unseen, [], 'the table has no transition that never happens');
  });
});
