/** Sending what waited: in order, in a window, no faster than asked for, and nothing after the link is gone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CreateGate, countingGate } from '../../../src/delivery/gate.js';
import { createMessage, type Message } from '../../../src/delivery/message.js';
import { Outbox } from '../../../src/delivery/outbox.js';
import { queueGate } from '../../../src/delivery/queue-gate.js';
import { Replayer } from '../../../src/delivery/replayer.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { Recorder } from '../fakes/recorder.js';

/** Node's gate and the one of pages. */
const gates: Readonly<Record<string, CreateGate>> = { queueGate, countingGate };

function worldOf(
  createGate: CreateGate,
  { concurrency = 100, perSecond = Number.POSITIVE_INFINITY, quota = 1_000 } = {},
) {
  const clock = new VirtualClock();
  const outbox = new Outbox(
    { maxMessages: 10_000, maxBytes: 1e9, maxAgeMs: Number.POSITIVE_INFINITY, overflow: 'reject-new' },
    { clock, events: new Recorder(), elsewhere: { size: 0, bytes: 0 } },
  );
  const startedAt = clock.now();
  const sent: string[] = [];
  const open: { topic: string; done: () => void }[] = [];
  let waiters: (() => void)[] = [];
  const state = { quota, most: 0 };
  const wakeAll = () => {
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  };
  const target = {
    hasQuota: (message: Message) => message.qos === 0 || open.length < state.quota,
    quotaChanged: () => new Promise<void>((resolve) => waiters.push(resolve)),
    gaveWay: () => {},
    send: (message: Message) => {
      sent.push(`${message.topic}@${Math.round(clock.now() - startedAt)}`);
      return new Promise<void>((done) => {
        open.push({ topic: message.topic, done });
        state.most = Math.max(state.most, open.length);
      });
    },
  };
  const replayer = new Replayer(outbox, target, { concurrency, perSecond }, clock, createGate);
  const add = (topic: string, qos: 0 | 1 | 2 = 1) => {
    outbox.add(createMessage(topic, '', { qos }, () => {}, clock.now()));
    replayer.wake();
  };
  const acknowledge = (topic = open[0]!.topic) => {
    const at = open.findIndex((each) => each.topic === topic);
    open.splice(at, 1)[0]!.done();
    wakeAll();
  };
  const topics = () => sent.map((each) => each.split('@')[0]).join(' ');
  return { clock, outbox, replayer, add, sent, topics, open, acknowledge, state, wakeAll };
}

const turns = () => settle(2_000);

for (const [name, createGate] of Object.entries(gates)) {
  describe(`replayer with ${name}`, () => {
    const world = (given?: Parameters<typeof worldOf>[1]) => worldOf(createGate, given);

    test('sends nothing before it is started', async () => {
      const { add, sent, outbox } = world();
      add('a');
      await turns();
      assert.deepEqual([sent, outbox.size], [[], 1]);
    });

    test('sends everything that waits, in order, without waiting for answers', async () => {
      const { add, replayer, topics, outbox } = world();
      for (const topic of ['a', 'b', 'c']) add(topic);
      add('d', 0);
      replayer.start(65_535);
      await turns();
      assert.deepEqual([topics(), outbox.size], ['a b c d', 0]);
    });

    test('sends what is added later', async () => {
      const { add, replayer, topics } = world();
      replayer.start(65_535);
      await turns();
      add('a');
      await turns();
      add('b');
      await turns();
      assert.equal(topics(), 'a b');
    });

    test('keeps at most concurrency, or the Receive Maximum, in flight', async () => {
      for (const [concurrency, receiveMaximum, most] of [
        [4, 100, 4],
        [100, 3, 3],
      ] as const) {
        const { add, replayer, acknowledge, state, sent, open } = world({ concurrency });
        for (let i = 0; i < 20; i++) add(`m${i}`);
        replayer.start(receiveMaximum);
        await turns();
        assert.equal(sent.length, most);
        while (open.length > 0) {
          acknowledge();
          await turns();
        }
        assert.deepEqual([sent.length, state.most], [20, most]);
      }
    });

    test('keeps the order when answers come in another', async () => {
      const { add, replayer, acknowledge, topics } = world({ concurrency: 2 });
      for (const topic of ['a', 'b', 'c', 'd']) add(topic);
      replayer.start(100);
      await turns();
      acknowledge('b');
      await turns();
      acknowledge('c');
      await turns();
      assert.equal(topics(), 'a b c d');
    });

    test('waits for quota, QoS 0 behind the others in its place', async () => {
      const { add, replayer, acknowledge, topics } = world({ quota: 1 });
      add('a');
      add('b');
      add('c', 0);
      replayer.start(100);
      await turns();
      assert.equal(topics(), 'a');
      acknowledge();
      await turns();
      assert.equal(topics(), 'a b c');
    });

    test('at a pace leaves no listener behind for each message', async () => {
      const warnings: Error[] = [];
      const note = (warning: Error) => warnings.push(warning);
      process.on('warning', note);
      const { clock, add, replayer } = world({ perSecond: 10 });
      for (let i = 0; i < 20; i++) add(`m${i}`);
      replayer.start(100);
      await clock.advance(3_000);
      // Node warns in a later turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
      process.off('warning', note);
      assert.deepEqual(warnings, []);
    });

    test('sends perSecond messages a second, evenly', async () => {
      const { clock, add, replayer, sent } = world({ perSecond: 4 });
      for (let i = 0; i < 6; i++) add(`m${i}`);
      replayer.start(100);
      await clock.advance(3_000);
      assert.deepEqual(sent, ['m0@0', 'm1@250', 'm2@500', 'm3@750', 'm4@1000', 'm5@1250']);
      assert.equal(clock.pending, 0);
      add('late');
      await clock.advance(0);
      assert.equal(sent.at(-1), 'late@3000');
    });

    test('does not send faster because it was stopped and started', async () => {
      const { clock, add, replayer, sent } = world({ perSecond: 1 });
      for (let i = 0; i < 3; i++) add(`m${i}`);
      replayer.start(100);
      await clock.advance(10);
      replayer.stop();
      replayer.start(100);
      await clock.advance(2_000);
      assert.deepEqual(sent, ['m0@0', 'm1@1000', 'm2@2000']);
    });

    test('stops at once: the rest stays in the outbox, and no timer is left', async () => {
      const { clock, add, replayer, sent, outbox } = world({ perSecond: 1 });
      for (let i = 0; i < 3; i++) add(`m${i}`);
      replayer.start(100);
      await clock.advance(0);
      replayer.stop();
      assert.equal(clock.pending, 0);
      await clock.advance(10_000);
      assert.deepEqual([sent, outbox.size], [['m0@0'], 2]);
    });

    test('stops while it waits for quota, and goes on with the next link', async () => {
      const { add, replayer, open, topics, state, wakeAll } = world({ quota: 0 });
      add('a');
      add('b');
      replayer.start(100);
      await turns();
      replayer.stop();
      state.quota = 10;
      wakeAll();
      await turns();
      assert.equal(topics(), '');
      replayer.start(100);
      await turns();
      assert.deepEqual([topics(), open.length], ['a b', 2]);
    });

    test('is not held up by what the link before left unanswered', async () => {
      const { add, replayer, topics, open } = world({ concurrency: 1 });
      add('a');
      add('b');
      replayer.start(100);
      await turns();
      replayer.stop();
      open.length = 0;
      replayer.start(100);
      await turns();
      assert.equal(topics(), 'a b');
    });

    test('overlooks nothing that is added in the turn in which it runs dry', async () => {
      for (let delay = 0; delay < 40; delay++) {
        const { add, replayer, topics } = world();
        add('a');
        replayer.start(100);
        for (let turn = 0; turn < delay; turn++) await Promise.resolve();
        add('b');
        await turns();
        assert.equal(topics(), 'a b', `added after ${delay} turns`);
      }
    });
  });
}
