/**
 * The bounded queue: what is accepted is taken, dropped with a reason, or still there, and the books always balance
 * (R169, R170).
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OverflowPolicy } from '../../../src/delivery/bounds.js';
import { Lane } from '../../../src/delivery/lane.js';
import { createMessage, type Message } from '../../../src/delivery/message.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { FailoverError } from '../../../src/errors.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { Recorder } from '../fakes/recorder.js';

const POLICIES: OverflowPolicy[] = ['reject-new', 'drop-oldest', 'drop-oldest-qos0', 'latest-per-topic'];

interface Bounds {
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly maxAgeMs?: number;
  readonly overflow?: OverflowPolicy;
}

function world({
  maxMessages = 3,
  maxBytes = 1_000,
  maxAgeMs = Number.POSITIVE_INFINITY,
  overflow = 'reject-new',
}: Bounds = {}) {
  const clock = new VirtualClock();
  const events = new Recorder();
  const held = { size: 0, bytes: 0 };
  const freed: ArrayBuffer[] = [];
  const outbox = new Outbox(
    { maxMessages, maxBytes, maxAgeMs, overflow },
    { clock, events, elsewhere: held, freeBuffer: (buffer) => freed.push(buffer) },
  );
  const settled: string[] = [];
  const message = (topic: string, qos: 0 | 1 | 2 = 1, size = 0, onSettled = () => {}) =>
    createMessage(
      topic,
      'x'.repeat(size),
      { qos },
      (error) => {
        settled.push(`${topic} ${(error as FailoverError | undefined)?.code}`);
        onSettled();
      },
      clock.now(),
    );
  const add = (...args: Parameters<typeof message>) => {
    const made = message(...args);
    outbox.add(made);
    return made;
  };
  const take = () => {
    const { first } = outbox;
    if (first) outbox.take(first);
    return first;
  };
  const drain = () => {
    const topics: string[] = [];
    for (let next = take(); next; next = take()) topics.push(next.topic);
    return topics.join(' ');
  };
  return { clock, events, held, outbox, freed, settled, message, add, take, drain };
}

describe('lane', () => {
  test('is first in, first out, with removal from anywhere', () => {
    const { message } = world();
    const lane = new Lane();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((topic) => message(topic)) as [
      Message,
      Message,
      Message,
      Message,
    ];
    for (const [i, each] of [a, b, c, d].entries()) each.sequence = i + 1;
    for (const each of [b, c, d]) lane.append(each);
    lane.merge([a]);
    lane.remove(c);
    lane.remove(a);
    lane.append(a);
    lane.remove(d);
    const order: string[] = [];
    for (let next = lane.first; next; next = lane.first) {
      order.push(next.topic);
      lane.remove(next);
    }
    assert.deepEqual(order, ['b', 'a']);
    for (const each of [a, b, c, d]) assert.deepEqual([each.previous, each.next], [undefined, undefined]);
    lane.append(a);
    lane.append(d);
    lane.merge([b, c]);
    assert.deepEqual([lane.first, a.next, b.next, c.next, d.previous, lane.size], [a, b, c, d, c, 4]);
    assert.equal(lane.last, d);
  });
});

describe('outbox', () => {
  test('keeps the order of the calls across QoS', () => {
    const { add, drain, outbox } = world({ maxMessages: 9 });
    for (const [topic, qos] of [
      ['a', 1],
      ['b', 0],
      ['c', 2],
      ['d', 0],
      ['e', 1],
    ] as const)
      add(topic, qos);
    assert.equal(outbox.size, 5);
    assert.equal(drain(), 'a b c d e');
    assert.deepEqual([outbox.size, outbox.bytes, outbox.first], [0, 0, undefined]);
  });

  test('puts messages back before everything that waits, in their order', () => {
    const { add, take, drain, outbox } = world({ maxMessages: 9 });
    add('a', 1);
    add('b', 0);
    add('c', 2);
    const flying = [take(), take(), take()] as Message[];
    add('d', 0);
    add('e', 1);
    outbox.putBack(flying);
    assert.equal(drain(), 'a b c d e');
  });

  test('keeps the place of a message that went to the link without waiting', () => {
    const { add, drain, outbox, message } = world({ maxMessages: 9 });
    const direct = message('direct');
    outbox.stamp(direct);
    add('later', 0);
    outbox.putBack([direct]);
    assert.equal(drain(), 'direct later');
  });

  test('tells the age of the oldest', async () => {
    const { clock, add, take, outbox } = world();
    assert.equal(outbox.oldestAgeMs, 0);
    add('a', 0);
    await clock.advance(100);
    add('b', 1);
    assert.equal(outbox.oldestAgeMs, 100);
    take();
    assert.equal(outbox.oldestAgeMs, 0);
  });

  test('tells its listener of every message that leaves unsent', () => {
    const { add, take, outbox } = world({ overflow: 'drop-oldest' });
    let left = 0;
    outbox.onRemoved(() => {
      left += 1;
    });
    for (const topic of ['a', 'b', 'c', 'd']) add(topic);
    take();
    outbox.clear(new FailoverError('ERR_ENDED', 'x'));
    assert.equal(left, 3);
  });

  test('counts what is in flight towards the bounds', () => {
    const { add, held, settled, outbox } = world({ maxMessages: 3, maxBytes: 10 });
    held.size = 2;
    held.bytes = 8;
    add('ab');
    add('c');
    assert.deepEqual([outbox.size, settled], [1, ['c ERR_OVERFLOW']]);
  });

  test('refuses for ever what can never fit', () => {
    for (const overflow of POLICIES) {
      const { add, events, settled, outbox } = world({ maxBytes: 10, overflow });
      add('a', 1, 10);
      assert.deepEqual([settled, outbox.size, outbox.bytes], [['a ERR_TOO_LARGE'], 0, 0]);
      const { reason, error } = events.of('dropped')[0]!;
      assert.deepEqual([reason, error.code, error.retryable], ['too-large', 'ERR_TOO_LARGE', false]);
    }
  });

  test('settles everything with the error it is cleared with, and reports nothing as dropped', () => {
    const { add, clock, events, settled, outbox } = world({ maxAgeMs: 500 });
    add('a', 0);
    add('b', 1);
    outbox.clear(new FailoverError('ERR_ENDED', 'over'));
    assert.deepEqual(settled, ['a ERR_ENDED', 'b ERR_ENDED']);
    assert.deepEqual([events.names, outbox.size, outbox.bytes, clock.pending], [[], 0, 0, 0]);
  });
});

describe('overflow', () => {
  const fill = (overflow: OverflowPolicy, qos: readonly (0 | 1)[], newcomer: 0 | 1, sizes: Bounds = {}) => {
    const w = world({ maxMessages: qos.length, overflow, ...sizes });
    qos.forEach((each, i) => {
      w.add(`m${i}`, each);
    });
    w.add('new', newcomer);
    return { ...w, dropped: w.settled.join(), left: w.drain() };
  };

  test('reject-new refuses the newcomer, but evicts QoS 0 for QoS 1', () => {
    assert.deepEqual(
      [fill('reject-new', [1, 1], 1), fill('reject-new', [1, 0, 0], 0), fill('reject-new', [1, 0, 0], 1)].map(
        ({ dropped, left }) => [dropped, left],
      ),
      [
        ['new ERR_OVERFLOW', 'm0 m1'],
        ['new ERR_OVERFLOW', 'm0 m1 m2'],
        ['m1 ERR_OVERFLOW', 'm0 m2 new'],
      ],
    );
  });

  test('drop-oldest evicts the oldest', () => {
    const { dropped, left } = fill('drop-oldest', [1, 0, 1], 0);
    assert.deepEqual([dropped, left], ['m0 ERR_OVERFLOW', 'm1 m2 new']);
  });

  test('drop-oldest-qos0 evicts the oldest of QoS 0, and refuses when there is none', () => {
    assert.deepEqual(
      [fill('drop-oldest-qos0', [1, 0, 0], 0), fill('drop-oldest-qos0', [1, 1], 0)].map(
        ({ dropped, left }) => [dropped, left],
      ),
      [
        ['m1 ERR_OVERFLOW', 'm0 m2 new'],
        ['new ERR_OVERFLOW', 'm0 m1'],
      ],
    );
  });

  test('latest-per-topic replaces the waiting message of a topic, and refuses new topics when full', () => {
    const { add, drain, settled } = world({ maxMessages: 2, overflow: 'latest-per-topic' });
    const first = add('a');
    add('b');
    const second = add('a');
    add('c');
    assert.notEqual(first, second);
    assert.deepEqual(settled, ['a ERR_OVERFLOW', 'c ERR_OVERFLOW']);
    assert.equal(drain(), 'b a');
    add('a');
    assert.equal(settled.length, 2);
  });

  test('latest-per-topic supersedes the waiting message, not an older one that was put back', () => {
    const { add, take, outbox, settled } = world({ maxMessages: 9, overflow: 'latest-per-topic' });
    add('a', 1, 1);
    const flying = take() as Message;
    add('a', 1, 2);
    outbox.putBack([flying]);
    add('a', 1, 3);
    assert.equal(settled.length, 1);
    const sizes: number[] = [];
    for (let next = take(); next; next = take()) sizes.push((next.payload as string).length);
    assert.deepEqual(sizes, [1, 3]);
  });

  test('evicts as many as the newcomer needs, and reports each', () => {
    const { add, drain, events, settled } = world({ maxMessages: 9, maxBytes: 40, overflow: 'drop-oldest' });
    for (const topic of ['a', 'b', 'c', 'd']) add(topic, 1, 9);
    add('e', 1, 14);
    assert.deepEqual(settled, ['a ERR_OVERFLOW', 'b ERR_OVERFLOW']);
    assert.deepEqual(
      events
        .of('dropped')
        .map(({ topic, qos, reason, error }) => [topic, qos, reason, error.code, error.retryable]),
      ['a', 'b'].map((topic) => [topic, 1, 'overflow', 'ERR_OVERFLOW', true]),
    );
    assert.match(events.of('dropped')[0]!.error.message, /^Message to "a" was dropped: the outbox holds /);
    assert.equal(drain(), 'c d e');
  });

  test('evicts nothing when that cannot make room', () => {
    for (const overflow of ['drop-oldest', 'drop-oldest-qos0', 'reject-new'] as const) {
      const { add, drain, held, settled } = world({ maxMessages: 9, maxBytes: 100, overflow });
      held.size = 1;
      held.bytes = 60;
      add('a', 0, 9);
      add('b', 0, 9);
      add('big', 1, 50);
      assert.deepEqual([settled, drain()], [['big ERR_OVERFLOW'], 'a b'], overflow);
    }
  });

  test('leaves the waiting message of a topic alone when the newcomer is refused', () => {
    const { add, drain, settled } = world({ maxBytes: 10, overflow: 'latest-per-topic' });
    add('a', 1, 1);
    add('a', 1, 50);
    assert.deepEqual([settled, drain()], [['a ERR_TOO_LARGE'], 'a']);
  });

  test('puts what the callback of an evicted message publishes behind the newcomer', () => {
    for (const overflow of ['drop-oldest', 'latest-per-topic'] as const) {
      const { add, drain } = world({ maxMessages: 2, overflow });
      add('a', 1, 1, () => add('from the callback'));
      if (overflow === 'drop-oldest') add('b');
      add(overflow === 'drop-oldest' ? 'new' : 'a');
      assert.match(drain(), /(new|a) from the callback$/, overflow);
    }
  });
});

describe('the memory of what is dropped', () => {
  const withPayload = (payload: Uint8Array) => createMessage('t', payload, { qos: 1 }, () => {}, 0);

  test('is given back at once: its own copy, and nothing of the application', () => {
    const { outbox, freed } = world({ maxMessages: 1, overflow: 'drop-oldest' });
    const first = withPayload(new Uint8Array(100));
    const theirs = first.payload;
    outbox.add(first);
    outbox.add(withPayload(new Uint8Array(50)));
    assert.deepEqual(freed, [(first.payload as Uint8Array).buffer]);
    assert.notEqual(first.payload, theirs);
  });

  test('is left alone when it was refused, or sent and put back, or has a buffer with others', () => {
    class Pooled extends Uint8Array {
      static get [Symbol.species]() {
        return function pooled(length: number) {
          return new Uint8Array(new ArrayBuffer(1_000), 0, length);
        } as unknown as Uint8ArrayConstructor;
      }
    }
    const dropping = world({ maxMessages: 1, overflow: 'drop-oldest' });
    dropping.outbox.add(withPayload(new Pooled(100)));
    dropping.outbox.add(withPayload(new Uint8Array(100)));
    const { outbox, freed } = world({ maxMessages: 1 });
    const sent = withPayload(new Uint8Array(100));
    outbox.add(sent);
    outbox.add(withPayload(new Uint8Array(50)));
    outbox.take(sent);
    outbox.drops.reject(sent, 'rejected', new FailoverError('ERR_ENDED', 'x'));
    assert.deepEqual([dropping.freed, freed], [[], []]);
  });
});

describe('age', () => {
  test('expires each message at its own time, with one timer', async () => {
    const { clock, add, events, settled, outbox } = world({ maxMessages: 9, maxAgeMs: 1_000 });
    add('a', 0);
    await clock.advance(400);
    add('b', 1);
    add('c', 0);
    assert.equal(clock.pending, 1);
    await clock.advance(599);
    assert.deepEqual(settled, []);
    await clock.advance(1);
    assert.deepEqual([settled, clock.pending], [['a ERR_EXPIRED'], 1]);
    await clock.advance(400);
    assert.deepEqual(settled, ['a ERR_EXPIRED', 'b ERR_EXPIRED', 'c ERR_EXPIRED']);
    assert.deepEqual([outbox.size, outbox.bytes, clock.pending], [0, 0, 0]);
    assert.deepEqual(
      events.of('dropped').map(({ reason }) => reason),
      ['expired', 'expired', 'expired'],
    );
  });

  test('does not expire what was taken in time', async () => {
    const { clock, add, take, settled } = world({ maxAgeMs: 1_000 });
    add('a');
    await clock.advance(900);
    add('b');
    take();
    await clock.advance(999);
    assert.deepEqual(settled, []);
    await clock.advance(1);
    assert.deepEqual(settled, ['b ERR_EXPIRED']);
  });

  test('expires a message that was put back before younger ones at its own time', async () => {
    const { clock, add, take, outbox, settled } = world({ maxAgeMs: 1_000 });
    add('old');
    const flying = take() as Message;
    await clock.advance(100);
    await clock.advance(800);
    await clock.advance(100);
    add('young');
    outbox.putBack([flying]);
    await clock.advance(0);
    assert.deepEqual(settled, ['old ERR_EXPIRED']);
  });

  test('sets no timer without a limit, and never one that is too long', async () => {
    const unlimited = world();
    unlimited.add('a');
    assert.equal(unlimited.clock.pending, 0);
    const { clock, add, settled } = world({ maxAgeMs: 3_000_000_000 });
    add('a');
    assert.equal(clock.nextIn, 2_147_483_647);
    await clock.advance(2_999_999_999);
    assert.deepEqual(settled, []);
    await clock.advance(1);
    assert.deepEqual(settled, ['a ERR_EXPIRED']);
  });
});

describe('accounting', () => {
  for (const overflow of POLICIES) {
    test(`balances after 100 000 random operations (${overflow})`, async () => {
      const random = new SeededRandom(POLICIES.indexOf(overflow) + 1);
      const draw = (n: number) => Math.floor(random.next() * n);
      const clock = new VirtualClock();
      const dropped = { count: 0 };
      const events = {
        emit: (event: string) => {
          if (event === 'dropped') dropped.count += 1;
        },
      };
      const held = { size: 0, bytes: 0 };
      const bounds = { maxMessages: 12, maxBytes: 300, maxAgeMs: 5_000, overflow };
      const outbox = new Outbox(bounds, { clock, events, elsewhere: held });
      /** What should be waiting, in order. */
      let waiting: Message[] = [];
      let flying: Message[] = [];
      const counts = { accepted: 0, acknowledged: 0, failed: 0 };
      const settledTwice: Message[] = [];
      const done = new Set<Message>();

      for (let op = 0; op < 100_000; op++) {
        const dice = random.next();
        if (dice < 0.5) {
          const made: Message = createMessage(
            `t${draw(8)}`,
            'x'.repeat(dice < 0.002 ? 400 : draw(60)),
            { qos: draw(3) as 0 | 1 | 2 },
            () => {
              if (done.has(made)) settledTwice.push(made);
              done.add(made);
              counts.failed += 1;
              waiting = waiting.filter((each) => each !== made);
            },
            clock.now(),
          );
          counts.accepted += 1;
          waiting.push(made);
          outbox.add(made);
          if (outbox.bytes > 0 && outbox.bytes + held.bytes > 300 && waiting.at(-1) === made)
            assert.fail(`operation ${op}: took more bytes than allowed`);
        } else if (dice < 0.8) {
          const { first } = outbox;
          if (first !== waiting[0]) assert.fail(`operation ${op}: not first in, first out`);
          if (!first) continue;
          outbox.take(first);
          waiting.shift();
          if (random.next() < 0.5) counts.acknowledged += 1;
          else flying.push(first);
        } else if (dice < 0.9 && flying.length > 0) {
          counts.acknowledged += 1;
          flying.shift();
        } else if (dice < 0.92) {
          outbox.putBack(flying);
          waiting = [...flying, ...waiting];
          flying = [];
        } else if (dice < 0.93) {
          await clock.advance(draw(3_000));
        }
        held.size = flying.length;
        held.bytes = flying.reduce((sum, { bytes }) => sum + bytes, 0);
        const bytes = waiting.reduce((sum, each) => sum + each.bytes, 0);
        if (outbox.size !== waiting.length || outbox.bytes !== bytes)
          assert.fail(
            `operation ${op}: ${outbox.size} of ${waiting.length}, ${outbox.bytes} of ${bytes} bytes`,
          );
      }
      assert.deepEqual(settledTwice, []);
      assert.equal(counts.failed, dropped.count);
      assert.equal(counts.accepted, counts.acknowledged + counts.failed + waiting.length + flying.length);
      assert.ok(counts.failed > 1_000 && counts.acknowledged > 1_000);
      outbox.clear(new FailoverError('ERR_ENDED', 'x'));
      assert.deepEqual([outbox.size, outbox.bytes, waiting.length, clock.pending], [0, 0, 0, 0]);
    });
  }
});
