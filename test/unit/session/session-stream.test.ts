/** The stream MQTT.js sees: it closes once, ends in bounded time, and keeps one endpoint's errors to itself. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { SessionStream } from '../../../src/session/session-stream.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { FakeTransport } from '../fakes/fake-network.js';

function world(transport: FakeTransport | undefined = new FakeTransport()) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const stream = new SessionStream(transport, 'mqtt://a:1883', clock, {
    received: () => log.push('received'),
    closed: (cause) => log.push(`closed ${cause?.message ?? 'without cause'}`),
  });
  for (const event of ['close', 'error'] as const) stream.on(event, () => log.push(event));
  // As MQTT.js does for each QoS 0 publish that finds the transport full.
  stream.once('drain', () => log.push('drain'));
  return { clock, log, stream, transport };
}

describe('session stream', () => {
  test('passes writes through to the transport, and drain back to whoever waits', () => {
    const { log, stream, transport } = world();
    assert.equal(stream.write('x'), true);
    transport.writable = false;
    assert.equal(stream.write(Buffer.from('y')), false);
    stream.once('drain', () => log.push('drain for another'));
    transport.emit('drain');
    transport.emit('drain');
    assert.deepEqual(
      [transport.written, log],
      [
        ['x', 'y'],
        ['drain', 'drain for another'],
      ],
    );
  });

  test('lets all packets of a turn leave together', async () => {
    const { stream, transport } = world();
    for (const packet of ['a', 'b', 'c']) {
      stream.cork();
      stream.write(packet);
      stream.uncork();
    }
    assert.deepEqual([transport.calls, transport.written], [['cork'], ['a', 'b', 'c']]);
    await settle();
    assert.deepEqual(transport.calls, ['cork', 'uncork']);
    stream.cork();
    await settle();
    assert.deepEqual(transport.calls, ['cork', 'uncork', 'cork', 'uncork']);
  });

  test('lets what was written leave before it ends', () => {
    const { stream, transport } = world();
    stream.cork();
    stream.write('disconnect');
    stream.uncork();
    stream.end();
    assert.deepEqual(transport.calls, ['cork', 'uncork', 'end']);
  });

  test('hands what is received to the parser, knows when it parses and while it is busy', () => {
    const { stream, transport } = world();
    const seen: unknown[] = [];
    let finish = () => {};
    const sink = new Writable({
      write: (chunk, _encoding, done) => {
        seen.push([String(chunk), stream.parsing, stream.busy]);
        finish = done;
      },
    });
    assert.equal(stream.pipe(sink), sink);
    transport.receive('p');
    assert.deepEqual([seen, stream.parsing, stream.busy], [[['p', true, true]], false, true]);
    finish();
    assert.equal(stream.busy, false);
  });

  test('stops parsing also when the parser throws', () => {
    const { stream } = world();
    const sink = new Writable();
    sink._write = () => {
      throw new Error('bad');
    };
    stream.pipe(sink);
    assert.throws(() => sink._write('x', 'utf8', () => {}), /bad/);
    assert.equal(stream.parsing, false);
  });

  test('closes once, drained before, and tells its observer the error instead of MQTT.js', async () => {
    const { log, stream, transport } = world();
    transport.hangUp(new Error('reset'));
    await settle();
    transport.emit('close');
    stream.destroy(new Error('too late'));
    await settle();
    assert.deepEqual(log, ['drain', 'close', 'closed reset']);
    assert.equal(stream.destroyed, true);
  });

  test('keeps the first of several errors', async () => {
    const { log, stream, transport } = world();
    transport.emit('error', new Error('first'));
    stream.destroy(new Error('second'));
    await settle();
    assert.deepEqual(log, ['drain', 'close', 'closed first']);
    const other = world();
    other.stream.destroy(new Error('first'));
    other.transport.emit('error', new Error('second'));
    await settle();
    assert.equal(other.log.at(-1), 'closed first');
  });

  test('closes without cause when it is destroyed without one, and writes nothing afterwards', async () => {
    const { log, stream, transport } = world();
    stream.destroy().destroy();
    assert.equal(stream.write('late'), true);
    await settle();
    assert.deepEqual(
      [log, transport.calls, transport.written],
      [['drain', 'close', 'closed without cause'], ['destroy'], []],
    );
  });

  test('is closed by the end of the peer, who will acknowledge nothing more', async () => {
    const { log, transport } = world();
    transport.emit('end');
    await settle();
    assert.deepEqual([log.at(-1), transport.calls], ['closed without cause', ['destroy']]);
  });

  test('ends politely: the peer closes, and no timer is left', async () => {
    const { clock, log, stream, transport } = world();
    stream.end(() => log.push('ended'));
    assert.equal(clock.pending, 1);
    await clock.advance(0);
    assert.deepEqual([log, transport.calls], [['drain', 'close', 'ended', 'closed without cause'], ['end']]);
    assert.equal(clock.pending, 0);
  });

  test('ends after a second when the peer does not answer (R84)', async () => {
    const { clock, log, stream, transport } = world();
    transport.answersEnd = false;
    stream.end();
    stream.end(() => log.push('ended'));
    assert.equal(clock.pending, 1);
    await clock.advance(999);
    assert.deepEqual(log, []);
    await clock.advance(1);
    assert.deepEqual(
      [log, transport.calls.at(-1)],
      [['drain', 'close', 'ended', 'closed without cause'], 'destroy'],
    );
    assert.equal(clock.pending, 0);
  });

  test('calls back from an end that comes after the close', async () => {
    const { clock, log, stream, transport } = world();
    transport.hangUp();
    await settle();
    stream.end(() => log.push('ended'));
    await settle();
    assert.deepEqual(log, ['drain', 'close', 'closed without cause', 'ended']);
    assert.equal(clock.pending, 0);
  });

  test('leads nowhere without a transport: it takes writes, ends and is destroyed', async () => {
    for (const close of ['end', 'destroy'] as const) {
      const clock = new VirtualClock();
      const log: string[] = [];
      const closed = () => log.push('closed');
      const stream = new SessionStream(undefined, '', clock, { received: () => {}, closed });
      stream.on('close', () => log.push('close'));
      assert.equal(stream.write('x'), true);
      stream.cork();
      stream.uncork();
      stream[close]();
      assert.deepEqual(log, []);
      await settle();
      assert.deepEqual([log, clock.pending], [['close', 'closed'], 0]);
    }
  });
});
