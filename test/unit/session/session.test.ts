/** One MQTT connection at a time: what becomes of CONNECT, and how a connection ends, each told once. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { FailoverError } from '../../../src/errors.js';
import { settle, VirtualClock } from '../../support/virtual-clock.js';
import { type ConnectAnswer, FakeCore } from '../fakes/fake-core.js';
import { endpoint, FakeTransport } from '../fakes/fake-network.js';
import { sessionOf } from '../fakes/parts.js';

function world(answer: ConnectAnswer = 'accept', options: object = {}) {
  const clock = new VirtualClock();
  const core = new FakeCore();
  core.answer('a', answer);
  core.answer('b', answer);
  const session = sessionOf(core, clock);
  const log: string[] = [];
  const errors: FailoverError[] = [];
  const open = (id = 'a') => {
    const transport = new FakeTransport();
    session.open({ target: { endpoint: endpoint(id), options }, transport }, 10_000, {
      accepted: ({ endpoint: { id: by }, resumed, limits }) =>
        log.push(`accepted by ${by} ${resumed ? 'resumed' : 'new'} ${limits.receiveMaximum}`),
      refused: (error) => {
        errors.push(error);
        log.push(`refused ${error.code}`);
      },
      ended: (error) => {
        errors.push(error);
        log.push(`ended ${error.code}`);
      },
    });
    return transport;
  };
  return { clock, core, session, log, errors, open };
}

describe('opening', () => {
  test('hands the link over at CONNACK, with Session Present and Receive Maximum', async () => {
    for (const [answer, expected] of [
      ['accept', 'accepted by a new 65535'],
      ['resume', 'accepted by a resumed 65535'],
      [{ receiveMaximum: 7 }, 'accepted by a new 7'],
    ] as const) {
      const { session, log, open } = world(answer);
      open();
      assert.equal(session.isOpen, false);
      await settle();
      assert.deepEqual(log, [expected]);
      assert.equal(session.isOpen, true);
      session.abandon();
    }
  });

  test('calls a session resumed only when ours was kept too', async () => {
    const { core, log, open } = world('resume');
    core.options.clean = true;
    open();
    await settle();
    assert.deepEqual(log, ['accepted by a new 65535']);
  });

  test('reports a refusal with its reason code, once, and leaves no timer', async () => {
    const { clock, log, errors, open } = world({ refuse: 0x87 });
    const transport = open();
    await clock.advance(20_000);
    assert.deepEqual(log, ['refused ERR_REFUSED']);
    const { message, reasonCode, endpoint: id, retryable } = errors[0]!;
    assert.deepEqual(
      { message, reasonCode, id, retryable },
      { message: 'a refused CONNECT with code 135 (0x87)', reasonCode: 0x87, id: 'a', retryable: true },
    );
    assert.equal(transport.destroyed, true);
    assert.equal(clock.pending, 0);
  });

  test('gives up when CONNACK does not come, and destroys the transport', async () => {
    const { clock, log, errors, open } = world('silent');
    const transport = open();
    await clock.advance(9_999);
    assert.deepEqual(log, []);
    await clock.advance(1);
    assert.deepEqual(log, ['refused ERR_CONNACK_TIMEOUT']);
    assert.equal(errors[0]?.message, 'No CONNACK from a within 10000 ms');
    assert.equal(transport.destroyed, true);
    assert.equal(clock.pending, 0);
  });

  test('reports a connection that closes before CONNACK as a failed attempt, with its cause', async () => {
    const { clock, log, errors, open } = world('silent');
    const reset = new Error('ECONNRESET');
    open().hangUp(reset);
    await clock.advance(0);
    assert.deepEqual(log, ['refused ERR_LINK']);
    assert.equal(errors[0]?.message, 'The connection to a ended: ECONNRESET');
    assert.equal(errors[0]?.cause, reset);
    assert.equal(clock.pending, 0);
  });

  test('reports a DISCONNECT in place of CONNACK as a failed attempt', async () => {
    const { session, log, errors, open } = world('silent');
    open();
    session.packetReceived({ cmd: 'disconnect', reasonCode: 0x8b });
    await settle();
    assert.deepEqual([log, errors[0]?.reasonCode], [['refused ERR_LINK'], 0x8b]);
  });

  test('writes CONNECT with the fields of the endpoint', async () => {
    const { core, open } = world('silent');
    open('b');
    assert.deepEqual([core.options.host, core.options.port, core.options.protocol], ['b.test', 1883, 'mqtt']);
  });
});

describe('an open link', () => {
  test('tells its round trip, also when it has ended', async () => {
    const { clock, session, open } = world();
    assert.equal(session.roundTripMs, undefined);
    const transport = open();
    await settle();
    assert.equal(session.roundTripMs, 0);
    session.packetSent({ cmd: 'pingreq' });
    await clock.advance(80);
    session.packetReceived({ cmd: 'pingresp' });
    // RFC 6298: an eighth of the new sample.
    assert.equal(session.roundTripMs, 10);
    transport.hangUp();
    await settle();
    assert.equal(session.roundTripMs, 10);
    open();
    assert.equal(session.roundTripMs, 10);
    session.abandon();
  });

  test('ends once, with the cause', async () => {
    const { clock, session, log, errors, open } = world();
    const transport = open();
    await settle();
    transport.hangUp(new Error('EPIPE'));
    await settle();
    assert.deepEqual(log, ['accepted by a new 65535', 'ended ERR_LINK']);
    assert.equal(errors[0]?.message, 'The connection to a ended: EPIPE');
    assert.equal(session.isOpen, false);
    assert.equal(clock.pending, 0);
  });

  test('ends at a DISCONNECT of the broker, after the application has seen it', async () => {
    const { session, log, errors, open } = world();
    const transport = open();
    await settle();
    session.packetReceived({ cmd: 'disconnect', reasonCode: 0x9c });
    assert.equal(transport.destroyed, false);
    await settle();
    assert.deepEqual(log, ['accepted by a new 65535', 'ended ERR_LINK']);
    assert.equal(errors[0]?.message, 'a disconnected us with code 156 (0x9c)');
    assert.equal(errors[0]?.reasonCode, 0x9c);
  });

  test('says the first of several reasons for its end', async () => {
    const { session, errors, open } = world();
    open();
    await settle();
    session.fail(new FailoverError('ERR_LINK', 'first'));
    session.fail(new FailoverError('ERR_LINK', 'second'));
    await settle();
    assert.equal(errors[0]?.message, 'first');
  });

  test('ignores a second CONNACK', async () => {
    const { session, log, open } = world();
    open();
    await settle();
    session.packetReceived({ cmd: 'connack', reasonCode: 0x80, sessionPresent: false });
    assert.equal(session.isOpen, true);
    assert.equal(log.length, 1);
  });

  test('closes politely: DISCONNECT, end, and no report', async () => {
    const { clock, core, session, log, open } = world();
    const transport = open();
    await settle();
    let closed = false;
    void session.close().then(() => {
      closed = true;
    });
    assert.deepEqual(core.written, [{ cmd: 'disconnect' }]);
    await settle();
    assert.deepEqual([transport.calls, log.length, closed, clock.pending], [['end'], 1, true, 0]);
    await session.close();
    assert.equal(core.written.length, 1);
  });

  test('closes within a second when the broker does not answer', async () => {
    const { clock, session, open } = world();
    open().answersEnd = false;
    await settle();
    let closed = false;
    void session.close().then(() => {
      closed = true;
    });
    await clock.advance(999);
    assert.equal(closed, false);
    await clock.advance(1);
    assert.deepEqual([closed, clock.pending], [true, 0]);
  });

  test('is not reported any more once it is abandoned, and its stream stays for the caller to end', async () => {
    const { clock, session, log, open } = world();
    const transport = open();
    await settle();
    session.abandon();
    assert.equal(transport.destroyed, false);
    assert.equal(clock.pending, 0);
    transport.hangUp();
    await settle();
    assert.deepEqual(log, ['accepted by a new 65535']);
  });

  test('is not disturbed by the late end of the one before', async () => {
    const { session, log, open } = world();
    const first = open('a');
    await settle();
    session.abandon();
    open('b');
    await settle();
    first.hangUp();
    await settle();
    assert.deepEqual(log, ['accepted by a new 65535', 'accepted by b new 65535']);
    assert.equal(session.isOpen, true);
    session.abandon();
  });
});

describe('abandoning an attempt', () => {
  test('reports nothing and leaves no timer, even if the broker answers', async () => {
    const { clock, session, log, open } = world('accept');
    open();
    session.abandon();
    await settle();
    assert.deepEqual(log, []);
    assert.equal(session.isOpen, false);
    assert.equal(clock.pending, 0);
  });
});

describe('an error that MQTT.js is about to emit', () => {
  const error = new Error('Header flag bits must be 0x0');

  test('is absorbed and ends the link when the connection is closed already', async () => {
    const { session, log, open } = world();
    const transport = open();
    await settle();
    session.takeStream().destroy();
    assert.equal(session.absorbs(error), true);
    await settle();
    assert.deepEqual(log.at(-1), 'ended ERR_LINK');
    assert.equal(transport.destroyed, true);
  });

  test('is absorbed and closes the connection when the broker sent something malformed', async () => {
    const { session, log, errors, open } = world();
    const transport = open();
    await settle();
    const absorbed: boolean[] = [];
    const sink = new Writable({
      write: (_chunk, _encoding, done) => {
        absorbed.push(session.absorbs(error));
        done();
      },
    });
    session.takeStream().pipe(sink);
    transport.receive('garbage');
    await settle();
    assert.deepEqual([absorbed, log.at(-1), transport.destroyed], [[true], 'ended ERR_LINK', true]);
    assert.equal(errors[0]?.message, 'The connection to a ended: Header flag bits must be 0x0');
    assert.equal(errors[0]?.cause, error);
  });

  test('is left to the application when its own acknowledgement handler may have raised it', async () => {
    const { core, session, open } = world();
    core.judgesMessages = true;
    const transport = open();
    await settle();
    const absorbed: boolean[] = [];
    const sink = new Writable({
      write: (_chunk, _encoding, done) => {
        absorbed.push(session.absorbs(error));
        done();
      },
    });
    session.takeStream().pipe(sink);
    transport.receive('x');
    assert.deepEqual([absorbed, transport.destroyed], [[false], false]);
    session.abandon();
  });

  test('is left to the application on a healthy link, before the first and after the last', async () => {
    const { session, open } = world();
    assert.equal(session.absorbs(error), false);
    const transport = open();
    await settle();
    assert.equal(session.absorbs(error), false);
    session.abandon();
    assert.equal(session.absorbs(error), false);
    transport.hangUp();
    await settle();
    assert.equal(session.absorbs(error), false);
  });
});

describe('the stream of a client that has not connected', () => {
  test('leads nowhere', () => {
    const { session, clock } = world();
    const stream = session.takeStream();
    assert.equal(stream.url, '');
    assert.equal(stream.write('x'), true);
    assert.equal(clock.pending, 0);
  });
});
