/**
 * What a broker's last word, or a server's certificate, makes a client wait for (requirements C2, C3, R148).
 *
 * World: a client without sockets; every draw is 0.5.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { murmur3 } from '../../../src/selection/murmur3.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { type ClientSetup, clientOf } from '../fakes/client.js';
import { endpoint, FakeNetwork } from '../fakes/fake-network.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

function world({ ids = 'abc', ...setup }: Partial<ClientSetup> & { ids?: string } = {}) {
  const clock = new VirtualClock();
  const network = new FakeNetwork(clock);
  const client = clientOf({ clock, network, endpoints: [...ids].map((id) => endpoint(id)), ...setup });
  return { clock, network, ...client };
}

async function connected(setup?: Parameters<typeof world>[0], forMs = MINUTE) {
  const w = world(setup);
  w.supervisor.start('test');
  await w.clock.advance(forMs);
  assert.equal(w.supervisor.state, 'connected');
  return w;
}

/** The milliseconds that the client waits after DISCONNECT. */
async function waitAfter(w: Awaited<ReturnType<typeof connected>>, code: number): Promise<number> {
  w.disconnect(code);
  await w.clock.advance(0);
  return w.clock.nextIn as number;
}

describe('DISCONNECT', () => {
  test('0x8B, shutting down: the next endpoint after a spread; this one rests half a minute and more', async () => {
    const { clock, supervisor, events, disconnect } = await connected();
    disconnect(0x8b);
    await clock.advance(0);
    assert.equal(clock.nextIn, 50);
    await clock.advance(50);
    assert.equal(supervisor.current?.id, 'b');
    const [rest] = events.of('health').filter(({ state }) => state === 'ejected');
    assert.deepEqual([rest?.endpoint, rest?.until], ['a', clock.wallNow() - 50 + 33_000]);
  });

  test('0x9F, connection rate exceeded: the next endpoint; this one is full, and tried last for five minutes', async () => {
    const { clock, supervisor, events, disconnect } = await connected();
    disconnect(0x9f);
    await clock.advance(50);
    assert.equal(supervisor.current?.id, 'b');
    const [full] = events
      .of('health')
      .filter(({ endpoint }) => endpoint === 'a')
      .slice(-1);
    assert.deepEqual([full?.state, full?.until], ['suspect', clock.wallNow() - 50 + 330_000]);
  });

  test('a full one is not asked because the other has to rest for a second (S7)', async () => {
    const { clock, network, supervisor, disconnect, cut } = await connected({ ids: 'ab' });
    disconnect(0x9f);
    await clock.advance(50);
    assert.equal(supervisor.current?.id, 'b');
    cut();
    await clock.advance(2 * SECOND);
    assert.equal(supervisor.current?.id, 'b');
    assert.deepEqual(
      network.dials.map(({ id }) => id),
      ['a', 'b', 'b'],
    );
  });

  test('0x98, administrative action: twice a while; the third time in ten minutes the slow lane, and an event', async () => {
    const w = await connected();
    const waits: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      waits.push(await waitAfter(w, 0x98));
      await w.clock.advance(waits.at(-1) as number);
      await w.clock.advance(10 * SECOND);
    }
    assert.deepEqual(waits, [17_500, 17_500, 45 * SECOND, 90 * SECOND]);
    assert.equal(w.events.of('security').length, 2);
    assert.deepEqual([w.events.of('security')[0]?.endpoint, w.events.of('security')[0]?.code], ['a', 0x98]);
    assert.ok(!w.events.states.includes('auth-wait'));
  });

  test('0x98 far apart stays what it is', async () => {
    const w = await connected();
    for (let n = 0; n < 4; n += 1) {
      assert.equal(await waitAfter(w, 0x98), 17_500);
      await w.clock.advance(5 * MINUTE);
    }
    assert.deepEqual(w.events.of('security'), []);
  });

  test('0xA0, maximum connect time: the provider is told that its credentials are spent', async () => {
    const reasons: string[] = [];
    const provider = (_endpoint: unknown, { reason }: { reason: string }) => {
      reasons.push(reason);
      return {};
    };
    const { clock, supervisor, disconnect } = await connected({ provider });
    disconnect(0xa0);
    await clock.advance(SECOND);
    assert.deepEqual([supervisor.current?.id, reasons], ['a', ['attempt', 'refused']]);
  });

  test('0x87, not authorised, over and over: the slow lane grows to a quarter of an hour', async () => {
    const w = await connected();
    const waits: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      waits.push((await waitAfter(w, 0x87)) / MINUTE);
      assert.equal(w.supervisor.state, 'auth-wait');
      await w.clock.advance((waits.at(-1) as number) * MINUTE);
      assert.equal(w.supervisor.state, 'connected');
    }
    assert.deepEqual(waits, [0.75, 1.5, 3, 6, 11.25, 11.25, 11.25]);
    await w.clock.advance(30 * SECOND);
    assert.equal(await waitAfter(w, 0x87), 0.75 * MINUTE);
  });

  test('0x87 with a provider: fresh credentials at once, then the slow lane', async () => {
    const reasons: string[] = [];
    const provider = (_endpoint: unknown, { reason }: { reason: string }) => {
      reasons.push(reason);
      return {};
    };
    const w = await connected({ provider });
    assert.equal(await waitAfter(w, 0x87), 50);
    await w.clock.advance(50);
    assert.deepEqual([w.supervisor.state, reasons], ['connected', ['attempt', 'refused']]);
    assert.equal(await waitAfter(w, 0x87), 45 * SECOND);
  });
});

describe('CONNACK', () => {
  test('0x9F by the only endpoint: it is not asked before it has rested', async () => {
    const { clock, network, core, supervisor } = world({ ids: 'a' });
    core.answer('a', { refuse: 0x9f });
    supervisor.start('test');
    await clock.advance(5_499);
    assert.deepEqual(network.log, ['a@0']);
    await clock.advance(1);
    assert.deepEqual(network.log, ['a@0', 'a@5500']);
  });
});

describe('an upgrade answered with Retry-After', () => {
  const busy = (retryAfterMs: number) =>
    Object.assign(new Error('HTTP status 503'), { httpStatus: 503, retryAfterMs });

  test('leaves that endpoint alone for so long', async () => {
    const { clock, network, supervisor, events } = world();
    network.answer('a', busy(120_000));
    supervisor.start('test');
    await clock.advance(0);
    assert.equal(supervisor.current?.id, 'b');
    assert.equal(events.of('health')[0]?.until, clock.wallNow() + 120_000);
  });

  test('by all of them makes the client wait for the first', async () => {
    const { clock, network, supervisor } = world({ ids: 'ab' });
    network.answer('a', busy(120_000));
    network.answer('b', busy(90_000));
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual([supervisor.state, clock.nextIn], ['backoff', 90_000]);
  });

  test('by some of them does not keep it from the others', async () => {
    const { clock, network, supervisor } = world({ ids: 'ab' });
    network.answer('a', busy(120_000));
    network.answer('b', new Error('refused'));
    supervisor.start('test');
    await clock.advance(0);
    assert.equal(clock.nextIn, 2_000);
  });
});

describe('a certificate that fails the check', () => {
  const distrusted = (code = 'CERT_HAS_EXPIRED') =>
    Object.assign(new Error('certificate has expired'), { code });

  test('is told as `security`, and its endpoint rests five minutes and more', async () => {
    const { clock, network, supervisor, events } = world();
    network.answer('a', distrusted());
    supervisor.start('test');
    await clock.advance(0);
    assert.equal(supervisor.current?.id, 'b');
    assert.deepEqual(events.of('security'), [
      { endpoint: 'a', code: 'CERT_HAS_EXPIRED', reason: 'Cannot reach a: certificate has expired' },
    ]);
    assert.equal(events.of('health')[0]?.until, clock.wallNow() + 330_000);
  });

  test('is one however it fails, and a broken handshake is none', async () => {
    for (const [code, events] of [
      ['ERR_TLS_CERT_ALTNAME_INVALID', 1],
      ['DEPTH_ZERO_SELF_SIGNED_CERT', 1],
      ['SELF_SIGNED_CERT_IN_CHAIN', 1],
      ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 1],
      ['CERT_NOT_YET_VALID', 1],
      ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 0],
      ['ERR_SSL_WRONG_VERSION_NUMBER', 0],
      ['ERR_TLS_HANDSHAKE_TIMEOUT', 0],
      ['EPROTO', 0],
      ['ECONNRESET', 0],
    ] as const) {
      const w = world();
      w.network.answer('a', distrusted(code));
      w.supervisor.start('test');
      await w.clock.advance(0);
      assert.equal(w.events.of('security').length, events, code);
    }
  });

  test('of every endpoint leads to the slow lane, in state backoff, and is asked again later', async () => {
    const { clock, network, supervisor, events } = world();
    for (const id of 'abc') network.answer(id, distrusted());
    supervisor.start('test');
    await clock.advance(0);
    assert.deepEqual([supervisor.state, clock.nextIn], ['backoff', 45_000]);
    await clock.advance(45_000);
    assert.deepEqual([clock.nextIn, network.dials.length], [90_000, 6]);
    assert.ok(!events.states.includes('auth-wait'));
    for (const id of 'abc') network.answer(id, 'open');
    await clock.advance(90_000);
    assert.equal(supervisor.state, 'connected');
  });

  test('of one among others that refuse is no reason for the slow lane', async () => {
    const { clock, network, supervisor } = world({ ids: 'ab' });
    network.answer('a', distrusted());
    network.answer('b', new Error('refused'));
    supervisor.start('test');
    await clock.advance(0);
    assert.equal(clock.nextIn, 2_000);
  });

  test('is told when a planned move finds it', async () => {
    const { network, supervisor, events } = await connected();
    network.answer('b', distrusted());
    const move = supervisor.move('b', 'test', { event: 'move', patient: false });
    await assert.rejects(move, /certificate has expired/);
    assert.equal(events.of('security')[0]?.endpoint, 'b');
  });
});

describe('a hint how wide to spread after a loss', () => {
  const slot = (spreadMs: number) => (murmur3('c') / 2 ** 32) * spreadMs;
  /** Milliseconds from the loss to the next dial. */
  async function waitOf(w: Awaited<ReturnType<typeof connected>>): Promise<number> {
    w.cut();
    await w.clock.advance(0);
    return w.clock.nextIn as number;
  }

  test('from the list gives the client its slot', async () => {
    assert.equal(await waitOf(await connected({ set: { spreadMs: 20_000 } })), slot(20_000));
  });

  test('from the broker, in CONNACK, does the same, for that link', async () => {
    const w = world({ ids: 'ab' });
    w.core.answer('a', { userProperties: { spreadMs: '20000' } });
    w.supervisor.start('test');
    await w.clock.advance(MINUTE);
    assert.equal(await waitOf(w), slot(20_000));
    w.network.answer('a', new Error('refused'));
    await w.clock.advance(slot(20_000) + MINUTE);
    assert.equal(w.supervisor.current?.id, 'b');
    assert.equal(await waitOf(w), 50);
  });

  test('counts as the wider of the two, and narrows nothing', async () => {
    for (const [listed, said, expected] of [
      [20_000, '5000', slot(20_000)],
      [5_000, '20000', slot(20_000)],
      [10, '10', 50],
      [1e12, '', slot(600_000)],
    ] as const) {
      const w = world({ ids: 'a', set: { spreadMs: listed } });
      w.core.answer('a', { userProperties: { spreadMs: said } });
      w.supervisor.start('test');
      await w.clock.advance(MINUTE);
      assert.equal(await waitOf(w), expected);
    }
  });

  test('is ignored when a broker sends anything but an integer up to ten minutes', async () => {
    const garbage = [
      '-5',
      '1e5',
      ' 7',
      '600001',
      '9'.repeat(400),
      'soon',
      '20000.5',
      '0x99',
      ['20000', '20000'],
    ];
    for (const spreadMs of garbage) {
      const w = world({ ids: 'a' });
      w.core.answer('a', { userProperties: { spreadMs } });
      w.supervisor.start('test');
      await w.clock.advance(MINUTE);
      assert.equal(await waitOf(w), 50, String(spreadMs));
    }
  });
});
