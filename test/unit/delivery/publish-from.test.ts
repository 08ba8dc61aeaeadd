/** Streams that are published at the pace of the outbox. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { PacketCallback } from 'mqtt';
import { publishFrom } from '../../../src/delivery/publish-from.js';
import { WaterMarks } from '../../../src/delivery/water-marks.js';
import { Recorder } from '../fakes/recorder.js';

function world() {
  const callbacks: PacketCallback[] = [];
  let open = () => {};
  let gate: Promise<void> = Promise.resolve();
  return {
    callbacks,
    close: () => {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    open: () => open(),
    target: {
      publish: (_topic: string, _payload: unknown, _options: unknown, callback: PacketCallback) =>
        void callbacks.push(callback),
      room: () => gate,
    },
  };
}

function* readings(count: number, qos: 0 | 1) {
  for (let i = 0; i < count; i += 1) yield { topic: 't', payload: String(i), options: { qos } };
}

describe('a stream', () => {
  test('resolves with the number of deliveries when all are', async () => {
    const { target, callbacks } = world();
    const done = publishFrom(target, readings(3, 1));
    await turn();
    assert.equal(callbacks.length, 3);
    for (const callback of callbacks) callback();
    assert.deepEqual(await done, { delivered: 3 });
  });

  test('reads nothing while there is no room', async () => {
    const { target, callbacks, close, open } = world();
    close();
    const done = publishFrom(target, readings(2, 1));
    await turn();
    assert.equal(callbacks.length, 0);
    open();
    await turn();
    for (const callback of callbacks) callback();
    assert.deepEqual(await done, { delivered: 2 });
  });

  test('of QoS 0 waits until what was written has left', async () => {
    const { target, callbacks } = world();
    const done = publishFrom(target, readings(250, 0));
    await turn();
    assert.equal(callbacks.length, 100);
    for (let i = 0; i < 250; i += 1) {
      callbacks[i]!();
      await turn();
    }
    assert.deepEqual(await done, { delivered: 250 });
  });

  test('rejects with the first publish that failed, and reads no further', async () => {
    const { target, callbacks } = world();
    let closed = false;
    async function* source() {
      try {
        for (let i = 0; ; i += 1) {
          yield { topic: 't', payload: String(i), options: { qos: 1 as const } };
          await turn();
        }
      } finally {
        closed = true;
      }
    }
    const done = publishFrom(target, source());
    await turn();
    callbacks[0]!(new Error('refused'));
    await assert.rejects(done, /refused/);
    assert.equal(closed, true);
  });

  test('stops when it is told to', async () => {
    const { target, close, open } = world();
    close();
    const abort = new AbortController();
    const done = publishFrom(target, readings(2, 1), { signal: abort.signal });
    abort.abort(new Error('enough'));
    open();
    await assert.rejects(done, /enough/);
  });
});

describe('the water marks', () => {
  test('are told once each, four fifths full and half empty', () => {
    const events = new Recorder();
    const marks = new WaterMarks({ maxMessages: 10, maxBytes: 1_000 }, events);
    for (const [messages, bytes] of [
      [7, 0],
      [8, 10],
      [10, 10],
      [6, 10],
      [5, 10],
      [1, 10],
      [1, 800],
    ] as const)
      marks.look(messages, bytes);
    assert.deepEqual(events.names, ['highwater', 'lowwater', 'highwater']);
    assert.deepEqual(events.of('lowwater'), [{ messages: 5, bytes: 10 }]);
  });
});
