/**
 * Several tabs with one connection.
 *
 * World: pages of one fake origin with real elections, hubs and relays on the virtual clock. The client of the leader is
 * a fake that dials a fake broker through the guarded network it was given, takes publishes when it is connected, and
 * can do nothing while its page is frozen or gone. The broker notes every CONNECT that came while another page that
 * could have closed its link had not.
 */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import type { IClientPublishOptions, ISubscriptionMap } from 'mqtt';
import type { FailoverClient } from '../../../src/client/client.js';
import { FailoverError } from '../../../src/errors.js';
import type { MqttCore } from '../../../src/mqtt/mqtt-core.js';
import type { Network, Transport } from '../../../src/platform/ports.js';
import type { RelayBounds } from '../../../src/tabs/relay.js';
import { SharedTab } from '../../../src/tabs/shared-tab.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { FakeOrigin, type FakePage } from '../fakes/fake-page.js';
import { Recorder } from '../fakes/recorder.js';

const noop = () => {};

class Broker {
  link: Owner | undefined;
  connects = 0;
  /** CONNECTs beside the link of a page that was awake. */
  overlaps = 0;
  readonly taken: string[] = [];
  readonly filters = new Set<string>();

  accept(owner: Owner): void {
    this.connects += 1;
    const before = this.link;
    if (before && !before.page.closed && !before.isFrozen()) this.overlaps += 1;
    this.link = owner;
    before?.lose();
  }
}

/** Stands in for the client of the leader. */
class Owner extends EventEmitter {
  readonly page: FakePage;
  readonly isFrozen: () => boolean;
  ended = false;
  /** Keeps acknowledgements back. */
  isSlow = false;
  isDraining = false;
  readonly #broker: Broker;
  readonly #network: Network;
  readonly #waiting: { readonly work: () => void; readonly fail: (error: Error) => void }[] = [];
  #state = 'idle';

  constructor(page: FakePage, isFrozen: () => boolean, broker: Broker, guard: (network: Network) => Network) {
    super();
    this.page = page;
    this.isFrozen = isFrozen;
    this.#broker = broker;
    const transport = { destroy: () => {} } as unknown as Transport;
    this.#network = guard({ schemes: new Set(['ws']), open: async () => transport });
  }

  get #isLinked(): boolean {
    return this.#broker.link === this;
  }

  connect(): void {
    this.#state = 'connecting';
    void this.#network.open(undefined as never, new AbortController().signal).then(
      () => {
        if (this.ended || this.isFrozen() || this.page.closed) return;
        this.#broker.accept(this);
        this.#state = 'connected';
        this.emit('connect', { cmd: 'connack', sessionPresent: false, reasonCode: 0 });
        for (const { work } of this.#waiting.splice(0)) work();
      },
      () => {},
    );
  }

  /** The broker closed it; the page hears of it when it can, and would connect again. */
  lose(): void {
    this.page.tell(() => {
      if (this.ended) return;
      this.emit('close');
      this.connect();
    });
  }

  #do(work: () => void, fail: (error: Error) => void): void {
    if (this.ended || this.isDraining) fail(new Error('client disconnecting'));
    else if (this.#isLinked && !this.isFrozen()) work();
    else this.#waiting.push({ work, fail });
  }

  publish(
    topic: string,
    payload: unknown,
    _options: IClientPublishOptions,
    done: (error?: Error) => void,
  ): this {
    if (topic === 'bad') {
      done(new FailoverError('ERR_MESSAGE', 'no good'));
      return this;
    }
    this.#do(() => {
      this.#broker.taken.push(String(payload));
      if (!this.isSlow) done();
    }, done);
    return this;
  }

  subscribe(
    topics: string[] | ISubscriptionMap,
    _options: unknown,
    done?: (e: null, g: unknown[]) => void,
  ): this {
    const names = Array.isArray(topics) ? topics : Object.keys(topics);
    this.#do(() => {
      for (const name of names) this.#broker.filters.add(name);
      done?.(
        null,
        names.map((topic) => ({ topic, qos: 1 })),
      );
    }, noop);
    return this;
  }

  unsubscribe(topics: string[], _options?: unknown, done?: (error?: Error) => void): this {
    this.#do(() => {
      for (const topic of topics) this.#broker.filters.delete(topic);
      done?.();
    }, noop);
    return this;
  }

  status() {
    return { state: this.#state, clientId: 'shared', endpoints: [], outbox: {} };
  }

  reconnect(): void {
    this.emit('reconnected');
  }

  async drain(): Promise<void> {
    this.isDraining = true;
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    this.end();
  }

  end(): this {
    this.ended = true;
    if (this.#isLinked) this.#broker.link = undefined;
    for (const { fail } of this.#waiting.splice(0)) fail(new FailoverError('ERR_ENDED', 'ended'));
    return this;
  }
}

class Tab {
  readonly page: FakePage;
  readonly clock: VirtualClock;
  readonly events = new Recorder();
  readonly log: string[] = [];
  readonly messages: string[] = [];
  readonly settled: string[] = [];
  readonly tab: SharedTab;
  isFrozen = false;
  owner: Owner | undefined;

  constructor(
    origin: FakeOrigin,
    clock: VirtualClock,
    broker: Broker,
    seed: number,
    bounds?: Partial<RelayBounds>,
  ) {
    this.page = origin.page();
    this.clock = clock;
    const client = new EventEmitter();
    client.on('connect', () => this.log.push('connect'));
    client.on('message', (topic: string, payload: Buffer) =>
      this.messages.push(`${topic} ${payload.toString()}`),
    );
    const core = {
      client,
      options: {},
      emit: (event: string) => this.log.push(event),
      emitError: (error: Error) => this.log.push(`error ${error.message}`),
    } as unknown as MqttCore;
    // A frozen page's timers stand still.
    const own = {
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      soon: (callback: () => void) => clock.soon(callback),
      setTimeout: (callback: () => void, ms: number) =>
        clock.setTimeout(() => {
          if (this.page.closed) return;
          if (this.isFrozen) this.page.tell(callback);
          else callback();
        }, ms),
      clearTimeout: (timer: never) => clock.clearTimeout(timer),
    };
    this.tab = new SharedTab({
      page: this.page,
      locks: this.page.locks!,
      clock: own,
      random: new SeededRandom(seed),
      clientId: 'shared',
      core,
      events: this.events,
      bounds: { maxMessages: 100, maxBytes: 10_000, qos2: 'republish', ...bounds },
      open: (guard) => {
        this.owner = new Owner(this.page, () => this.isFrozen, broker, guard);
        return this.owner as unknown as FailoverClient;
      },
    });
    this.tab.start();
  }

  publish(payload: string, options: IClientPublishOptions = { qos: 1 }, topic = 't'): void {
    this.tab.relay.publish(topic, payload, options, (error) =>
      this.settled.push(error ? `${payload} ${(error as FailoverError).code}` : payload),
    );
  }

  subscribe(filter: string): void {
    this.tab.relay.subscribe([filter], { qos: 1 }, () => {});
  }

  freeze(): void {
    this.isFrozen = true;
    this.page.freeze();
  }

  thaw(): void {
    this.isFrozen = false;
    this.page.thaw();
  }
}

async function world(count: number, bounds?: Partial<RelayBounds>) {
  const clock = new VirtualClock();
  const origin = new FakeOrigin();
  const broker = new Broker();
  const tabs = Array.from({ length: count }, (_, i) => new Tab(origin, clock, broker, i + 1, bounds));
  await clock.advance(100);
  const leaders = () => tabs.filter(({ owner, page }) => owner && !owner.ended && !page.closed);
  return {
    clock,
    origin,
    broker,
    tabs: tabs as [Tab, ...Tab[]],
    leaders,
    add: (seed: number) => new Tab(origin, clock, broker, seed),
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe('five tabs with one connection', () => {
  test('have one leader, one CONNECT, and all are connected', async () => {
    const { broker, tabs, leaders, clock } = await world(5);
    await clock.advance(60_000);
    assert.equal(leaders().length, 1);
    assert.deepEqual([broker.connects, broker.overlaps], [1, 0]);
    for (const { log, tab } of tabs) {
      assert.deepEqual(log, ['connect']);
      assert.equal(tab.relay.status?.state, 'connected');
    }
  });

  test('publish in the order of each tab, and each learns of its own', async () => {
    const { broker, tabs, clock } = await world(3);
    for (const n of upTo(9)) tabs[Number(n) % 3]?.publish(n);
    await clock.advance(10);
    assert.deepEqual([...broker.taken].sort(), upTo(9));
    for (const [i, tab] of tabs.entries())
      assert.deepEqual(
        tab.settled,
        upTo(9).filter((n) => Number(n) % 3 === i),
      );
    tabs[1]?.publish('x', {}, 'bad');
    await clock.advance(10);
    assert.equal(tabs[1]?.settled.at(-1), 'x ERR_MESSAGE');
  });

  test('get the messages of their own filters, as Buffers', async () => {
    const { tabs, clock, leaders, broker } = await world(3);
    tabs[0].subscribe('a/+');
    tabs[1]?.subscribe('$share/g/a/b');
    tabs[2]?.subscribe('c/#');
    await clock.advance(10);
    assert.deepEqual([...broker.filters], ['a/+', '$share/g/a/b', 'c/#']);
    leaders()[0]?.owner?.emit('message', 'a/b', Buffer.from('hé'), { cmd: 'publish', qos: 1 });
    await clock.advance(10);
    assert.deepEqual(
      tabs.map(({ messages }) => messages),
      [['a/b hé'], ['a/b hé'], []],
    );
  });

  test('keep the subscriptions of one whose locks the browser grants late', async () => {
    const { add, origin, clock, broker } = await world(1);
    const page = origin.page.bind(origin);
    origin.page = (texts) => {
      const made = page(texts);
      const { take, acquire } = made.locks!;
      const late = new Promise<void>((resolve) => void clock.setTimeout(resolve, 50));
      made.locks = { take: (name) => late.then(() => take(name)), acquire };
      return made;
    };
    add(2).subscribe('a');
    await clock.advance(5_000);
    assert.deepEqual([...broker.filters], ['a']);
  });

  test('unsubscribe when none of them wants a filter any more, also when the last one crashes', async () => {
    const { tabs, clock, broker } = await world(3);
    tabs[1]?.subscribe('a');
    tabs[2]?.subscribe('a');
    await clock.advance(10);
    tabs[1]?.tab.relay.unsubscribe(['a'], undefined, () => {});
    await clock.advance(10);
    assert.deepEqual([...broker.filters], ['a']);
    tabs[2]?.page.close();
    await clock.advance(10);
    assert.deepEqual([...broker.filters], []);
  });

  test('hear of errors and events with their classes', async () => {
    const { tabs, clock, leaders } = await world(2);
    const error = new FailoverError('ERR_OVERFLOW', 'full', { retryable: true });
    leaders()[0]?.owner?.emit('dropped', { topic: 't', qos: 0, reason: 'overflow', error });
    leaders()[0]?.owner?.emit('error', new FailoverError('ERR_ALL_FAILED', 'all'));
    await clock.advance(10);
    for (const { events, log } of tabs) {
      const [dropped] = events.of('dropped');
      assert.ok(dropped?.error instanceof FailoverError);
      assert.equal(dropped.error.code, 'ERR_OVERFLOW');
      assert.equal(dropped.error.retryable, true);
      assert.deepEqual(log, ['connect', 'error all']);
    }
  });
});

describe('the connection is handed over', () => {
  test('by a leader that ends, without losing what comes too late for it, at any QoS', async () => {
    const { broker, tabs, clock } = await world(2);
    const [leader, other] = tabs as [Tab, Tab];
    const left = leader.tab.leave();
    for (const qos of [0, 1, 2] as const) other.publish(`${qos}`, { qos });
    await Promise.all([left, clock.advance(1_000)]);
    assert.deepEqual(other.settled, ['0', '1', '2']);
    assert.deepEqual([broker.taken, other.events.names], [['0', '1', '2'], []]);
  });

  test('by a leader that ends without a connection, with what the others have asked of it', async () => {
    const { broker, tabs, clock } = await world(2);
    const [leader, other] = tabs as [Tab, Tab];
    broker.link = undefined;
    for (const qos of [0, 1, 2] as const) other.publish(`${qos}`, { qos });
    await clock.advance(10);
    await Promise.all([leader.tab.leave(), clock.advance(1_000)]);
    assert.deepEqual(other.settled, ['0 ERR_LINK', '1', '2']);
    assert.deepEqual([broker.taken, other.events.names], [['1', '2'], ['uncertain']]);
  });

  for (const how of ['crashes', 'ends', 'freezes'] as const) {
    test(`when the leader ${how}: nothing is lost, and there is one CONNECT at a time`, async () => {
      const { broker, tabs, clock, leaders } = await world(5);
      const [leader, ...others] = tabs;
      assert.deepEqual(leaders(), [leader]);
      others[0]?.subscribe('cmd');
      await clock.advance(10);
      for (const n of upTo(5)) others[Number(n) % 4]?.publish(n);
      await clock.advance(1);
      if (how === 'crashes') leader.page.close();
      else if (how === 'ends') await Promise.all([leader.tab.leave(), clock.advance(10)]);
      else leader.freeze();
      for (const n of upTo(10).slice(5)) others[Number(n) % 4]?.publish(n);
      await clock.advance(30_000);
      const awake = leaders().filter(({ isFrozen }) => !isFrozen);
      assert.equal(awake.length, 1);
      assert.deepEqual([broker.connects, broker.overlaps], [2, 0]);
      assert.deepEqual([...new Set(broker.taken)].sort(), upTo(10));
      assert.deepEqual(others.flatMap(({ settled }) => settled).sort(), upTo(10));
      awake[0]?.owner?.emit('message', 'cmd', Buffer.from('go'), {});
      await clock.advance(10);
      assert.deepEqual(others[0]?.messages, ['cmd go']);
    });
  }

  test('within twelve seconds and a little when the leader freezes', async () => {
    const { tabs, clock, broker } = await world(3);
    tabs[0].freeze();
    await clock.advance(9_000);
    assert.equal(broker.connects, 1);
    await clock.advance(7_000);
    assert.equal(broker.connects, 2);
  });

  test('and a leader that thaws closes its link before anything else, and follows', async () => {
    const { tabs, clock, broker, leaders } = await world(3);
    const [old] = tabs;
    old.freeze();
    old.publish('from the frozen');
    await clock.advance(60_000);
    old.thaw();
    await clock.advance(60_000);
    assert.equal(old.owner?.ended, true);
    assert.deepEqual([broker.connects, broker.overlaps, leaders().length], [2, 0, 1]);
    assert.deepEqual(old.settled, ['from the frozen']);
    assert.deepEqual(broker.taken, ['from the frozen']);
    assert.equal(old.tab.relay.status?.state, 'connected');
    assert.deepEqual(old.log, ['connect', 'close', 'connect']);
  });

  test('and a leader that thaws sends no CONNECT, though it hears of its lost link first', async () => {
    const { tabs, clock, broker } = await world(2);
    tabs[0].freeze();
    await clock.advance(20_000);
    assert.equal(broker.connects, 2);
    tabs[0].isFrozen = false;
    tabs[0].page.thaw((waiting) => waiting.reverse());
    await clock.advance(20_000);
    assert.deepEqual([broker.connects, tabs[0].owner?.ended], [2, true]);
  });

  test('past a tab that was frozen when its turn came: it never leads', async () => {
    const { tabs, clock, broker } = await world(3);
    const [leader, frozen, third] = tabs as [Tab, Tab, Tab];
    frozen.freeze();
    leader.page.close();
    await clock.advance(20_000);
    assert.equal(third.owner?.ended, false);
    frozen.thaw();
    await clock.advance(20_000);
    assert.equal(frozen.owner, undefined);
    assert.deepEqual([broker.connects, broker.overlaps], [2, 0]);
    assert.equal(frozen.tab.relay.status?.state, 'connected');
  });

  test('not while the leader only has slow timers, as it answers when it is asked', async () => {
    const { tabs, clock, broker } = await world(3);
    // Its beats come once a minute now.
    tabs[0].freeze();
    for (let second = 0; second < 300; second += 1) {
      await clock.advance(1_000);
      tabs[0].thaw();
      await clock.advance(0);
      if (second % 60 !== 0) tabs[0].freeze();
    }
    assert.equal(broker.connects, 1);
  });

  test('and what the old leader had taken of QoS 0 fails, of QoS 2 is told of', async () => {
    for (const [qos2, fate] of [
      ['republish', ['two']],
      ['reject', ['two ERR_DELIVERY_UNCERTAIN']],
    ] as const) {
      const { tabs, clock } = await world(2, { qos2 });
      const [leader, other] = tabs as [Tab, Tab];
      if (leader.owner) leader.owner.isSlow = true;
      other.publish('zero', { qos: 0 });
      other.publish('two', { qos: 2 });
      await clock.advance(10);
      leader.page.close();
      await clock.advance(1_000);
      assert.deepEqual(other.settled, ['zero ERR_LINK', ...fate]);
      assert.deepEqual(
        other.events.of('uncertain').map(({ action }) => action),
        [qos2 === 'republish' ? 'republished' : 'rejected'],
      );
    }
  });

  test('over random lives of tabs: one CONNECT at a time, and every publish settles', async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const random = new SeededRandom(seed);
      const pick = (n: number) => Math.floor(random.next() * n);
      const w = await world(3);
      const alive = [...w.tabs] as Tab[];
      const gone: Tab[] = [];
      let n = 0;
      for (let step = 0; step < 60; step += 1) {
        const tab = alive[pick(alive.length)] as Tab;
        const what = pick(8);
        // A frozen page runs nothing.
        if (what <= 3 && !tab.isFrozen) {
          tab.publish(`${n}`);
          n += 1;
        } else if (what === 4 && alive.length > 1) {
          tab.page.close();
          gone.push(...alive.splice(alive.indexOf(tab), 1));
        } else if (what === 5 && alive.length < 5) alive.push(w.add(seed * 100 + step));
        else if (what === 6) (tab.isFrozen ? tab.thaw : tab.freeze).call(tab);
        await w.clock.advance(pick(4_000));
      }
      for (const tab of alive) if (tab.isFrozen) tab.thaw();
      await w.clock.advance(60_000);
      assert.equal(w.broker.overlaps, 0, `seed ${seed}`);
      const leading = alive.filter(({ owner }) => owner && !owner.ended);
      assert.equal(leading.length, 1, `seed ${seed}: one leader at last`);
      for (const tab of alive) {
        assert.equal(tab.tab.relay.status?.outbox.messages, 0, `seed ${seed}`);
        for (const payload of tab.settled)
          assert.ok(w.broker.taken.includes(payload), `seed ${seed}: ${payload}`);
      }
    }
  });
});

test('a tab takes no more than its bounds, and settles what is left when it ends', async () => {
  const { tabs, clock } = await world(1, { maxMessages: 2 });
  const [tab] = tabs;
  if (tab.owner) tab.owner.isSlow = true;
  for (const n of ['0', '1', '2']) tab.publish(n);
  await clock.advance(10);
  assert.deepEqual(tab.settled, ['2 ERR_OVERFLOW']);
  await Promise.all([tab.tab.leave(), clock.advance(2_000)]);
  assert.deepEqual(tab.settled, ['2 ERR_OVERFLOW', '0 ERR_ENDED', '1 ERR_ENDED']);
  assert.equal(clock.pending, 0);
});
