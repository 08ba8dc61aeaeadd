/**
 * A client with `tabs: 'shared'` from its first request to its end. World: the engine over a fake core and pages of a fake
 * origin; the leader's client never connects.
 */
import assert from 'node:assert/strict';
import { EventEmitter, getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { FailoverClient } from '../../../src/client/client.js';
import type { FailoverError } from '../../../src/errors.js';
import type { MqttCore } from '../../../src/mqtt/mqtt-core.js';
import { SharedEngine } from '../../../src/tabs/shared-engine.js';
import { fixedRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { FakeOrigin } from '../fakes/fake-page.js';
import { Recorder } from '../fakes/recorder.js';

function world() {
  const clock = new VirtualClock();
  const page = new FakeOrigin().page();
  const log: string[] = [];
  const core = {
    client: new EventEmitter(),
    options: {},
    revive: () => log.push('revive'),
    end: (_force: boolean, _options: unknown, done: () => void) => {
      log.push('end');
      done();
    },
    emit: (event: string) => log.push(event),
    emitError: (error: Error) => log.push(`error ${error.message}`),
  } as unknown as MqttCore;
  const opened: EventEmitter[] = [];
  const engine = new SharedEngine({
    page,
    locks: page.locks!,
    clock,
    random: fixedRandom(0.5),
    clientId: 'desk',
    warnings: [],
    core,
    events: new Recorder(),
    bounds: { maxMessages: 3, maxBytes: 1_000, qos2: 'republish' },
    open: () => {
      const client = Object.assign(new EventEmitter(), {
        connect: () => log.push('connect'),
        publish: (topic: string) => log.push(`publish ${topic}`),
        drain: async () => log.push('drain'),
        status: () => ({ state: 'connecting', clientId: 'desk', endpoints: [] }),
      });
      opened.push(client);
      return client as unknown as FailoverClient;
    },
  });
  const settled: string[] = [];
  const publish = (topic: string) =>
    engine.publish(topic, 'x', { qos: 1 }, (error) =>
      settled.push(`${topic} ${(error as FailoverError | undefined)?.code ?? 'ok'}`),
    );
  const elected = () => clock.advance(10);
  const end = () => new Promise<unknown>((resolve) => engine.end(true, undefined, resolve));
  return { clock, page, log, opened, engine, settled, publish, elected, end };
}

test('is idle, then connecting, and passes on in order what was asked before', async () => {
  const w = world();
  assert.equal(w.engine.status().state, 'idle');
  w.publish('a');
  w.engine.connect('test');
  w.publish('b');
  assert.equal(w.engine.status().state, 'connecting');
  await w.elected();
  w.publish('c');
  await w.clock.advance(10);
  assert.deepEqual(w.log, ['revive', 'connect', 'publish a', 'publish b', 'publish c']);
  assert.equal(w.engine.status().outbox.messages, 3);
  await w.end();
});

test('bounds what waits for a leader', async () => {
  const w = world();
  for (const topic of ['a', 'b', 'c', 'd']) w.publish(topic);
  await w.clock.advance(1);
  assert.deepEqual(w.settled, ['d ERR_OVERFLOW']);
  await w.end();
  assert.deepEqual(w.settled.slice(1), ['a ERR_ENDED', 'b ERR_ENDED', 'c ERR_ENDED']);
});

test('ended before it is elected, it takes no part', async () => {
  const w = world();
  w.engine.connect('test');
  await w.end();
  await w.elected();
  assert.equal(w.engine.status().state, 'closed');
  assert.equal(w.opened.length, 0);
  assert.equal(w.page.origin.holders.size, 0);
  assert.equal(w.clock.pending, 0);
});

test('connects again when it was asked to while it ended, unless it is ended once more', async () => {
  for (const again of [false, true]) {
    const w = world();
    w.engine.connect('test');
    await w.elected();
    const ended = w.end();
    w.engine.connect('once more');
    if (again) w.engine.stayEnded();
    await Promise.all([ended, w.clock.advance(2_000)]);
    await w.elected();
    assert.equal(w.opened.length, again ? 1 : 2);
    await Promise.all([w.end(), w.clock.advance(2_000)]);
    assert.equal(w.clock.pending, 0);
  }
});

test('has room when half of what it may hold is settled, or nobody asks any more', async () => {
  const w = world();
  const asked = { begun: new AbortController(), over: new AbortController() };
  const order: string[] = [];
  const room = (signal?: AbortSignal) => w.engine.room(signal).then(() => order.push('room'));
  await room();
  for (const topic of ['a', 'b']) w.publish(topic);
  w.engine.connect('test');
  void room(asked.begun.signal);
  void room(asked.over.signal);
  await w.clock.advance(1);
  assert.deepEqual(order, ['room'], 'while there is no leader');
  await w.elected();
  assert.deepEqual(order, ['room'], 'while the leader has not settled them');
  asked.over.abort();
  await w.clock.advance(1);
  assert.deepEqual(order, ['room', 'room']);
  await w.end();
  assert.equal(order.length, 3);
  assert.equal(getEventListeners(asked.begun.signal, 'abort').length, 0);
});
