/**
 * Live publishes beside a backlog of thousands, on a link with a Receive Maximum (R178).
 *
 * World: the real publisher, outbox, in-flight store and replayer, in memory or with a store; MQTT.js is a fake. The broker
 * answers in rounds: in each, everything that was in flight when it began, and the link may end between two of them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { OverflowPolicy } from '../../../src/delivery/bounds.js';
import { InFlight } from '../../../src/delivery/in-flight.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { PacketIds } from '../../../src/delivery/packet-ids.js';
import { Publisher } from '../../../src/delivery/publisher.js';
import { queueGate } from '../../../src/delivery/queue-gate.js';
import { Retries } from '../../../src/delivery/retries.js';
import type { OutboxCodec } from '../../../src/delivery/store/codec.js';
import { Backlog, Stores } from '../../../src/delivery/store/index.js';
import type { DatabaseRange, DatabaseSection } from '../../../src/platform/database.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { FakeCore } from '../fakes/fake-core.js';
import { MemoryDatabase } from '../fakes/memory-database.js';
import { linkTo } from '../fakes/parts.js';
import { Recorder } from '../fakes/recorder.js';

/** Milliseconds of a round: longer than a commit waits. */
const ROUND_MS = 20;
const RUNS = Number(process.env.FUZZ_ROUNDS ?? 5);

type Qos = 0 | 1 | 2;

interface Setup {
  readonly database?: MemoryDatabase | undefined;
  readonly perSecond?: number;
  readonly maxMessages?: number;
  readonly overflow?: OverflowPolicy;
  readonly codec?: OutboxCodec | undefined;
}

function life({
  database,
  perSecond = Number.POSITIVE_INFINITY,
  maxMessages = 1_000_000,
  overflow = 'reject-new',
  codec,
}: Setup = {}) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const core = new FakeCore();
  const inFlight = new InFlight();
  const ids = new PacketIds(inFlight);
  Object.assign(core, { inFlight, ids });
  const bounds = { maxMessages, maxBytes: 1e9, maxAgeMs: Number.POSITIVE_INFINITY };
  const stores = new Stores(undefined);
  const outbox = new Outbox(
    { ...bounds, overflow },
    {
      clock,
      events,
      elsewhere: inFlight,
      makeBacklog:
        database &&
        ((shared, owner) => {
          const lease = () => stores.lease(database, 'c');
          return new Backlog(
            { ...shared, lease, codec, random: { next: () => 0.5 }, speaksMqtt5: () => true },
            owner,
          );
        }),
    },
  );
  const publisher = new Publisher({
    outbox,
    inFlight,
    retries: new Retries(clock, { next: () => 0.5 }),
    core,
    clock,
    events,
    createGate: queueGate,
    options: {
      ...bounds,
      concurrency: 100,
      perSecond,
      qos2: 'republish',
      queueQoSZero: true,
    },
  });
  /** Messages of each topic that were published, and how often each was settled without an error. */
  const published = new Map<string, string[]>();
  const settled = new Map<string, number>();
  /** Texts that survive the process. */
  const stored = new Set<string>();
  let round = 0;
  const publish = (topic: string, qos: Qos, onSettled = (_rounds: number) => {}) => {
    const texts = published.get(topic) ?? [];
    const text = `${topic}#${texts.length}`;
    texts.push(text);
    published.set(topic, texts);
    const since = round;
    publisher.publish(topic, text, { qos, cbStorePut: () => stored.add(text) }, (error) => {
      if (error) return;
      settled.set(text, (settled.get(text) ?? 0) + 1);
      onSettled(round - since);
    });
  };
  let receiveMaximum = 65_535;
  const links: number[] = [];
  const up = async (places: number, resumed = false) => {
    links.push(core.published.length);
    receiveMaximum = places;
    ids.clear();
    publisher.linkUp(linkTo('node-a', { receiveMaximum }, resumed));
    publisher.flow();
    await clock.advance(0);
  };
  const check = () => assert.ok(inFlight.size <= receiveMaximum, `${inFlight.size} in flight`);
  /** The broker answers what it has, but for one topic. */
  const play = async (except?: string) => {
    round += 1;
    check();
    const kept = except && core.published.find(({ topic }) => topic === except)?.id;
    for (const id of [...core.outgoing.keys()]) {
      if (id === kept) continue;
      core.acknowledge(id);
      check();
    }
    await clock.advance(ROUND_MS);
    check();
  };
  /** On each link, publishes are in the order of the calls. */
  const checkLinks = () => {
    for (const [i, from] of links.entries()) {
      const latest = new Map<string, number>();
      for (const { topic, payload, options } of core.published.slice(from, links[i + 1])) {
        const lane = `${topic} ${options.qos}`;
        const [, number] = textOf(payload).split('#');
        assert.ok(Number(number) > (latest.get(lane) ?? -1), `${textOf(payload)} on link ${i}`);
        latest.set(lane, Number(number));
      }
    }
  };
  /** Texts in the order of their first transmission, by topic. */
  const firsts = () => {
    const byTopic = new Map<string, string[]>();
    for (const text of new Set(core.published.map(({ payload }) => textOf(payload)))) {
      const topic = text.slice(0, text.indexOf('#'));
      const texts = byTopic.get(topic) ?? [];
      texts.push(text);
      byTopic.set(topic, texts);
    }
    return byTopic;
  };
  return {
    clock,
    core,
    publisher,
    published,
    settled,
    stored,
    publish,
    up,
    play,
    firsts,
    checkLinks,
    inFlight,
    events,
  };
}

/** A life with 1 200 messages in its store, which a live one has passed. */
async function passed(database: MemoryDatabase) {
  const w = life({ database });
  w.publisher.open();
  for (let i = 0; i < 1_200; i += 1) w.publish('q', 1);
  await w.clock.advance(100);
  await w.up(20);
  w.publish('live', 1);
  await w.play('live');
  return w;
}

/** What a process has left that is no more: `messages` over some topics. */
async function earlier(database: MemoryDatabase, messages: number, topicOf = (i: number) => `q/${i % 7}`) {
  const before = life({ database });
  before.publisher.open();
  for (let i = 0; i < messages; i += 1) before.publish(topicOf(i), 1);
  await before.clock.advance(1_000);
  return before.published;
}

/** A life after that, before it has a link. */
async function heir(
  database: MemoryDatabase,
  published: ReadonlyMap<string, readonly string[]>,
  codec?: OutboxCodec,
) {
  const w = life({ database, codec });
  for (const [topic, texts] of published) w.published.set(topic, [...texts]);
  w.publisher.open();
  await w.clock.advance(1_000, turn);
  return w;
}

describe('a live publish of a topic of which nothing waits', () => {
  for (const durable of [false, true]) {
    for (const places of [1, 2, 20]) {
      const where = durable ? 'in a store' : 'in memory';
      test(`waits for two rounds at most, Receive Maximum ${places}, thousands ${where}`, async () => {
        const w = life({ database: durable ? new MemoryDatabase() : undefined });
        w.publisher.open();
        const backlog = places === 20 ? 2_500 : 1_050;
        for (let i = 0; i < backlog; i += 1) w.publish(`q/${i % 7}`, 1);
        await w.clock.advance(1_000, turn);
        await w.up(places);
        const waited: number[] = [];
        let rounds = 0;
        for (; w.publisher.unsettled.size > 0; rounds += 1) {
          // Less than the half of the places that is theirs.
          if (rounds % 3 === 0) w.publish(`live/${rounds}`, 1, (each) => waited.push(each));
          await w.play();
        }
        assert.ok(rounds > 100, `all was over after ${rounds} rounds`);
        // Its turn comes with the next place but one; another round, and it is answered.
        assert.ok(Math.max(...waited) <= (places === 1 ? 3 : 2), `rounds waited: ${[...new Set(waited)]}`);
        // Nobody was sent twice, and the backlog got its share.
        assert.equal(w.core.published.length, backlog + waited.length);
        assert.ok(rounds <= (backlog + waited.length) / places + 10, `it took ${rounds} rounds`);
        assert.deepEqual(w.firsts(), w.published);
      });
    }
  }

  test('takes turns with the backlog, as long as both wait', async () => {
    const w = life();
    for (let i = 0; i < 100; i += 1) w.publish('q', 1);
    await w.up(1);
    for (let i = 0; i < 30; i += 1) w.publish(`live/${i}`, 1);
    for (let i = 0; i < 60; i += 1) await w.play();
    const order = w.core.published.slice(1).map(({ topic }) => topic[0]);
    assert.equal(order.join(''), 'lq'.repeat(30));
  });

  test('does not give its next one the place of the backlog, when its answer is the occasion', async () => {
    const w = life();
    for (let i = 0; i < 20; i += 1) w.publish('q', 1);
    await w.up(1);
    let next = 0;
    const again = () => {
      next += 1;
      if (next < 20) w.publish(`live/${next}`, 1, again);
    };
    again();
    for (let i = 0; i < 20; i += 1) await w.play();
    assert.equal(w.core.published.filter(({ topic }) => topic === 'q').length, 11);
  });

  test('is not held up by a topic that floods', async () => {
    const w = life();
    await w.up(20);
    for (let i = 0; i < 5_000; i += 1) w.publish('flood', 1);
    for (let i = 0; i < 11; i += 1) await w.play();
    let waited = 0;
    w.publish('live', 1, (rounds) => {
      waited = rounds;
    });
    while (waited === 0) await w.play();
    assert.ok(waited <= 2, `waited ${waited} rounds`);
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.deepEqual(w.firsts(), w.published);
  });

  test('is sent when the store opens after the link, and nothing else happens on it', async () => {
    const w = life({ database: new MemoryDatabase() });
    await w.up(20);
    for (const topic of ['a', 'b', 'a']) w.publish(topic, 1);
    await w.clock.advance(1_000, turn);
    assert.deepEqual(w.firsts(), w.published);
  });

  test('is not read again with the messages of a store that it has passed, and survives the process', async () => {
    const database = new MemoryDatabase();
    const w = await passed(database);
    for (let i = 0; i < 1_200; i += 1) w.publish('q', 1);
    /** What another process would deliver, if this one died now. */
    const legacy = async () => {
      const disk = new Map([...database.sections].map(([name, section]) => [name, new Map(section)]));
      const heir = life({ database: new MemoryDatabase(disk) });
      heir.publisher.open();
      await heir.up(20);
      while (heir.publisher.unsettled.size > 0) await heir.play();
      return heir.firsts();
    };
    // The tail is being read, and the live one has the highest number of what is in memory.
    while (w.settled.size < 1_050) await w.play('live');
    await w.clock.advance(200);
    const owed = (w.published.get('q') ?? []).filter((text) => !w.settled.has(text));
    const delivered = new Set((await legacy()).get('q'));
    assert.deepEqual(
      owed.filter((text) => !delivered.has(text)),
      [],
    );
    while (w.publisher.unsettled.size > 1) await w.play('live');
    assert.equal(w.core.published.filter(({ topic }) => topic === 'live').length, 1);
    await w.clock.advance(1_000, turn);
    assert.deepEqual([...(await legacy())], [['live', ['live#0']]]);
  });

  test('is not read again when it is deleted while its page is being read', async () => {
    const database = new SlowDatabase();
    const w = await passed(database);
    for (let i = 0; i < 400; i += 1) w.publish('q', 1);
    const release = database.holdReads();
    for (let i = 0; i < 40; i += 1) await w.play('live');
    assert.equal(database.reading, 1);
    await w.play();
    await w.clock.advance(1_000, turn);
    release();
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.deepEqual(w.firsts(), w.published);
    assert.equal(w.core.published.length, 1_601);
  });

  test('does not wait for all of a store when the link ends meanwhile, nor does the next one', async () => {
    const w = life({ database: new MemoryDatabase() });
    w.publisher.open();
    for (let i = 0; i < 5_000; i += 1) w.publish('q', 1);
    await w.clock.advance(1_000, turn);
    await w.up(20);
    const waited: number[] = [];
    const live = () => w.publish('live', 1, (rounds) => waited.push(rounds));
    live();
    await w.play('live');
    live();
    w.publisher.linkDown();
    w.core.outgoing.clear();
    await w.up(20);
    live();
    for (let i = 0; i < 100; i += 1) await w.play();
    live();
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.equal(waited.length, 4);
    assert.ok(Math.max(...waited) < 100, `rounds waited: ${waited}`);
    assert.deepEqual(w.firsts(), w.published);
  });

  test('does not wait for a backlog that keeps to a pace', async () => {
    const w = life({ perSecond: 1 });
    for (let i = 0; i < 100; i += 1) w.publish('q', 1);
    await w.up(1);
    for (let i = 0; i < 10; i += 1) w.publish(`live/${i}`, 1);
    for (let i = 0; i < 11; i += 1) await w.play();
    assert.deepEqual([w.settled.size, w.core.published.length], [11, 11]);
  });

  test('goes back to where its number belongs when the link ends', async () => {
    const w = life();
    w.publish('a', 1);
    await w.up(1);
    for (const topic of ['b', 'a', 'a']) w.publish(topic, 1);
    w.publisher.linkDown();
    w.core.outgoing.clear();
    await w.up(1);
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.deepEqual(
      w.core.published.map(({ payload }) => textOf(payload)),
      ['a#0', 'a#0', 'b#0', 'a#1', 'a#2'],
    );
  });

  test('has the place that was left to a backlog which is gone', async () => {
    const w = life({ maxMessages: 3, overflow: 'drop-oldest' });
    for (const topic of ['sent', 'waits']) w.publish(topic, 1);
    await w.up(1);
    await w.clock.advance(0);
    w.core.acknowledge(w.core.published[0]!.id);
    w.publish('live/1', 1);
    w.publish('live/2', 1);
    await w.clock.advance(0);
    w.core.acknowledge(w.core.published[1]!.id);
    for (const topic of ['live/3', 'live/4']) w.publish(topic, 1);
    for (let i = 0; i < 4; i += 1) await w.play();
    assert.deepEqual(
      w.core.published.map(({ topic }) => topic),
      ['sent', 'live/1', 'live/2', 'live/3', 'live/4'],
    );
  });

  test('keeps within the Receive Maximum when a listener publishes it as another is sent', async () => {
    const w = life({ maxMessages: 10 });
    for (let i = 0; i < 8; i += 1) w.publish(`q/${i}`, 1);
    await w.up(1);
    w.events.listener = (name) => {
      if (name !== 'lowwater') return;
      w.events.listener = () => {};
      for (let i = 0; i < 3; i += 1) w.publish(`live/${i}`, 1);
    };
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.equal(w.settled.size, 11);
  });
});

describe('a live publish, and what an earlier process has left', () => {
  test('passes that of other topics, and keeps passing it', async () => {
    const database = new MemoryDatabase();
    const w = await heir(database.reopened(), await earlier(database, 5_000));
    await w.up(20);
    const waited: number[] = [];
    let rounds = 0;
    for (; w.publisher.unsettled.size > 0; rounds += 1) {
      // Again and again of one topic, also while one of it waits.
      if (rounds < 200) w.publish('live', 1, (each) => waited.push(each));
      if (rounds % 10 === 0) w.publish(`live/${rounds}`, 1, (each) => waited.push(each));
      // The store is read for its topics.
      if (rounds === 0) await w.clock.advance(0, turn);
      await w.play();
    }
    assert.ok(rounds > 250, `all was over after ${rounds} rounds`);
    assert.ok(Math.max(...waited) <= 2, `rounds waited: ${[...new Set(waited)]}`);
    assert.equal(w.core.published.length, 5_000 + waited.length);
    assert.deepEqual(w.firsts(), w.published);
    await w.clock.advance(1_000, turn);
    assert.deepEqual(recordsIn(database), []);
  });

  test('waits behind that of its own topic', async () => {
    const database = new MemoryDatabase();
    const topicOf = (i: number) => (i < 2_000 ? 'q' : 'late');
    const w = await heir(database.reopened(), await earlier(database, 2_100, topicOf));
    await w.up(20);
    w.publish('late', 1);
    await w.clock.advance(1_000, turn);
    for (; w.publisher.unsettled.size > 0; await w.play()) if (w.settled.size < 500) w.publish('late', 1);
    assert.deepEqual(w.firsts(), w.published);
    assert.equal(w.core.published.length, [...w.published.values()].flat().length);
  });

  test('makes the store be read for its topics, which is not read for them before', async () => {
    const database = new SlowDatabase();
    const published = await earlier(database, 5_000);
    const w = await heir(database, published);
    await w.up(20);
    assert.equal(database.reading, 2);
    w.publish('live', 1);
    await w.clock.advance(1_000, turn);
    // Records 1 001 to 5 000.
    assert.equal(database.reading, 2 + 8);
    w.publish('q/1', 1);
    w.publish('live/2', 1);
    await w.clock.advance(1_000, turn);
    assert.equal(database.reading, 2 + 8);
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.deepEqual(w.firsts(), w.published);
  });

  test('waits for a record whose topic cannot be read, as it may be readable when its turn comes', async () => {
    const database = new MemoryDatabase();
    const topicOf = (i: number) => (i === 2_500 ? 'sealed' : 'q');
    const published = await earlier(database, 5_000, topicOf);
    let refusals = 0;
    const decode = (bytes: Uint8Array) => {
      if (!textOf(bytes).includes('sealed#') || refusals > 0) return bytes;
      refusals += 1;
      throw new Error('no key yet');
    };
    const w = await heir(database.reopened(), published, { encode: (bytes) => bytes, decode });
    await w.up(20);
    w.publish('sealed', 1);
    let passedAt = 0;
    w.publish('live', 1, () => {
      passedAt = w.core.published.length;
    });
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.equal(refusals, 1);
    assert.ok(passedAt > 1_500 && passedAt < 4_500, `passed after ${passedAt}`);
    assert.deepEqual(w.firsts(), w.published);
  });

  test('waits as all others when the store cannot be read for its topics, which is reported once', async () => {
    const database = new SlowDatabase();
    const w = await heir(database, await earlier(database, 5_000));
    await w.up(20);
    database.readError = Object.assign(new Error('block checksum mismatch'), { code: 'LEVEL_CORRUPTION' });
    w.publish('live', 1);
    w.publish('live', 1);
    await w.clock.advance(1_000, turn);
    database.readError = undefined;
    w.publish('live', 1);
    while (w.publisher.unsettled.size > 0) await w.play();
    assert.deepEqual(
      w.events.of('storage-degraded').map(({ reason }) => reason),
      ['corrupt'],
    );
    const before = w.core.published.findIndex(({ topic }) => topic === 'live');
    assert.ok(before >= 3_900, `${before} were before it`);
    assert.deepEqual(w.firsts(), w.published);
  });

  test('is there for the next process when this one ends while the store is read for its topics', async () => {
    const database = new SlowDatabase();
    const w = await heir(database, await earlier(database, 2_000));
    await w.up(20);
    const release = database.holdReads();
    w.publish('live', 1);
    await w.clock.advance(1_000, turn);
    w.publisher.abandon();
    release();
    await w.clock.advance(1_000, turn);
    const next = await heir(database.reopened(), w.published);
    await next.up(20);
    next.publish('live', 1);
    while (next.publisher.unsettled.size > 0) await next.play();
    assert.deepEqual(next.firsts(), next.published);
  });
});

/** What happens between two rounds. */
const happening = fc.oneof(
  { weight: 12, arbitrary: fc.record({ topic: fc.nat(5), qos: fc.constantFrom<Qos>(0, 1, 2) }) },
  { weight: 12, arbitrary: fc.constant('round' as const) },
  { weight: 1, arbitrary: fc.constantFrom('resumed' as const, 'lost' as const) },
);

describe('publishes, whatever happens', () => {
  for (const durable of [false, true]) {
    test(`keep the order of their topic, and arrive, ${durable ? 'with a store' : 'in memory'}`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(1, 2, 20),
          fc.constantFrom(0, 30, durable ? 1_300 : 300),
          fc.array(happening, { maxLength: 120 }),
          async (places, backlog, story) => {
            const database = durable ? new MemoryDatabase() : undefined;
            const w = life({ database });
            w.publisher.open();
            for (let i = 0; i < backlog; i += 1) w.publish(`t${Math.floor(i / 500)}`, i % 5 === 0 ? 0 : 1);
            await w.clock.advance(100);
            await w.up(places);
            let losses = 0;
            for (const each of story) {
              if (each === 'round') await w.play();
              else if (typeof each === 'object') w.publish(`t${each.topic}`, each.qos);
              else {
                losses += w.inFlight.size;
                w.publisher.linkDown();
                if (each === 'lost') w.core.outgoing.clear();
                await w.clock.advance(ROUND_MS);
                await w.up(places, each === 'resumed');
              }
            }
            while (w.publisher.unsettled.size > 0) await w.play();
            await w.clock.advance(1_000);
            const all = [...w.published.values()].flat();
            assert.deepEqual([...w.settled.keys()].sort(), all.sort());
            assert.ok([...w.settled.values()].every((times) => times === 1));
            assert.ok(w.core.published.length <= all.length + losses, 'something was sent twice');
            w.checkLinks();
            for (const [topic, texts] of w.firsts())
              assert.deepEqual(byQos(texts, w), byQos(w.published.get(topic) ?? [], w));
            assert.deepEqual(database ? recordsIn(database) : [], []);
          },
        ),
        { numRuns: RUNS },
      );
    });
  }

  test('survive the process where they were stored, in order, and come back as they were published', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 2, 20),
        fc.constantFrom(0, 30, 1_300, 2_600),
        fc.array(fc.oneof({ weight: 2, arbitrary: fc.nat(12) }, fc.constant('round' as const)), {
          maxLength: 90,
        }),
        fc.constantFrom(0, 10, 1_000),
        fc.array(fc.oneof(happening, { weight: 2, arbitrary: fc.constant('known' as const) }), {
          maxLength: 90,
        }),
        async (places, backlog, story, lastMs, sequel) => {
          let losses = 0;
          const database = new MemoryDatabase();
          const first = life({ database });
          first.publisher.open();
          for (let i = 0; i < backlog; i += 1) first.publish(`t${Math.floor(i / 500)}`, 1);
          await first.clock.advance(100);
          await first.up(places);
          for (const each of story) {
            if (each === 'round') await first.play();
            else first.publish(`t${each}`, 1);
          }
          await first.clock.advance(lastMs);
          // What is on the way to the disk when the process dies stays on its way.
          database.writeError = new Error('dead');
          const second = await heir(database.reopened(), first.published);
          await second.up(20);
          for (const each of sequel) {
            if (each === 'round') await second.play();
            else if (each === 'known') await second.clock.advance(0, turn);
            else if (typeof each === 'object') second.publish(`t${each.topic}`, 1);
            else {
              losses += second.inFlight.size;
              second.publisher.linkDown();
              if (each === 'lost') second.core.outgoing.clear();
              await second.clock.advance(ROUND_MS);
              await second.up(20, each === 'resumed');
            }
          }
          while (second.publisher.unsettled.size > 0) await second.play();
          await second.clock.advance(1_000, turn);
          second.checkLinks();
          const sentAgain = second.firsts();
          for (const [topic, texts] of second.published) {
            const sent = first.firsts().get(topic) ?? [];
            const again = sentAgain.get(topic) ?? [];
            const order = [...new Set([...sent, ...again])];
            // What never was stored may be missing, and nothing else.
            assert.deepEqual(
              order,
              texts.filter((text) => order.includes(text)),
            );
            const owed = texts.filter((text) => first.stored.has(text) && !first.settled.has(text));
            assert.deepEqual(
              owed.filter((text) => !again.includes(text)),
              [],
            );
          }
          const sent = [...sentAgain.values()].flat().length;
          assert.ok(second.core.published.length <= sent + losses, 'something was sent twice');
          assert.deepEqual(recordsIn(database), []);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** Gives pages of messages only when it is told to. */
class SlowDatabase extends MemoryDatabase {
  reading = 0;
  #mayAnswer: Promise<void> = Promise.resolve();

  holdReads(): () => void {
    let release = () => {};
    this.#mayAnswer = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  override sublevel(name: string[]): DatabaseSection {
    const section = super.sublevel(name);
    const iterator = (range: DatabaseRange) => {
      this.reading += 1;
      const entries = section.iterator(range);
      const nextv = async (size: number) => {
        const found = entries.nextv(size);
        await this.#mayAnswer;
        return found;
      };
      return { ...entries, nextv };
    };
    return { ...section, iterator };
  }
}

const recordsIn = ({ sections }: MemoryDatabase) =>
  [...sections.values()].flatMap((section) => [...section.keys()].filter((key) => key.startsWith('r')));

const textOf = (payload: string | Uint8Array) => Buffer.from(payload).toString();

/** Order is promised for each topic and QoS. */
function byQos(texts: readonly string[], { core }: ReturnType<typeof life>): Record<string, string[]> {
  const qos = new Map(core.published.map(({ payload, options }) => [textOf(payload), options.qos]));
  return Object.fromEntries([0, 1, 2].map((each) => [each, texts.filter((text) => qos.get(text) === each)]));
}
