/**
 * What the client does about every answer of a broker: the table of outcomes, seen from outside.
 *
 * World: two scripted brokers on 127.0.0.1, `first` and `second` in that order; `first` answers CONNECT as the row
 * says, or accepts it and disconnects. Waits of the library run ten times as fast, except in the storms at the end,
 * which are counted over real seconds with the default options and three brokers.
 */
import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import {
  type Action,
  connect,
  type FailoverClient,
  type FailoverError,
  type FailoverEvents,
  type FailoverOptions,
  OUTCOMES,
  type OutcomeKind,
  type OutcomeRow,
  tokens,
} from '../../src/index.js';
import type { Network } from '../../src/platform/ports.js';
import { collect, once, until } from '../support/events.js';
import { HOST, Listener } from '../support/listener.js';
import { type Script, type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { SeededRandom } from '../support/seeded-random.js';
import { accept, client, disposable, hurried, refuse } from './world.js';

/** Seconds of the library in a second of the test. */
const HURRY = 10;

/** A wait after a pass that no test outlives: what comes after `give up` must not be taken for going on. */
const LONG_BACKOFF = { spreadMs: 0, minMs: 3_600_000, baseMs: 0, maxMs: 3_600_000 } as const;

/** Deadlines of the network as they are in real time, although the waits run faster: the machine does not. */
const PATIENT: FailoverOptions = {
  dial: { transportTimeoutMs: 5_000 * HURRY, connackTimeoutMs: 10_000 * HURRY },
  liveness: { suspectAfterMs: 1_000 * HURRY, pingTimeoutMs: 1_000 * HURRY, maxMs: 10_000 * HURRY },
};

function rowsOf(kind: OutcomeKind): readonly OutcomeRow[] {
  return OUTCOMES.filter((row) => row.kind === kind);
}

function title({ code, name }: Pick<OutcomeRow, 'code' | 'name'>): string {
  return `0x${code.toString(16).padStart(2, '0')} ${name}`;
}

interface Pair extends AsyncDisposable {
  readonly first: ScriptedBroker;
  readonly second: ScriptedBroker;
  readonly made: FailoverClient;
  readonly errors: FailoverError[];
  /** What the client said of its endpoints, in order. */
  readonly told: FailoverEvents['health'][];
}

/** Each broker with a script of its own; `second` accepts unless told otherwise. */
async function pair(
  options: FailoverOptions,
  script: Script,
  secondScript?: Script,
  /** Where the first endpoint is instead. */
  firstUrl?: string,
  begin: (made: FailoverClient) => unknown = () => {},
): Promise<Pair> {
  const first = await scriptedBroker(script);
  const second = await scriptedBroker(secondScript);
  const brokers = [
    { url: firstUrl ?? first.url, id: 'first' },
    { url: second.url, id: 'second' },
  ];
  const made = client(brokers, {
    clientId: 'device-7',
    backoff: LONG_BACKOFF,
    ...hurried(HURRY),
    ...PATIENT,
    ...options,
  });
  const errors = collect<FailoverError>(made, 'error');
  begin(made);
  return {
    first,
    second,
    made,
    errors,
    told: collect<FailoverEvents['health']>(made, 'health'),
    [Symbol.asyncDispose]: async () => {
      await made[Symbol.asyncDispose]();
      await first.stop();
      await second.stop();
    },
  };
}

/** Where the client comes to rest. */
async function settled(made: FailoverClient): Promise<void> {
  const resting = new Set(['connected', 'backoff', 'failed', 'auth-wait', 'conflict']);
  await until(() => resting.has(made.status().state), {
    what: () => `the client to come to rest: it is ${made.status().state}`,
  });
}

function healthOf(made: FailoverClient, id: string): string | undefined {
  return made.status().endpoints.find((endpoint) => endpoint.id === id)?.state;
}

/** State, endpoint in use, CONNECTs at `first` and `second`, and what the client thinks of `first`. */
function picture({ made, first, second }: Pair): unknown[] {
  const { state, current } = made.status();
  return [state, current, first.connects, second.connects, healthOf(made, 'first')];
}

/** As {@link picture}, for an endpoint that is left alone: a moment later its time may be over, but it was told. */
function pictureOfRest(world: Pair): unknown[] {
  const told = world.told.find(({ endpoint }) => endpoint === 'first');
  return [...picture(world).slice(0, 4), told?.state];
}

/** Whether an endpoint that ends things so is out for a while. One that is full is only tried last (S7). */
function rests(row: Pick<OutcomeRow, 'action' | 'note' | 'coolMs'>): boolean {
  return row.action === 'redirect' || (row.coolMs !== undefined && !row.note?.startsWith('full'));
}

const REFUSED: Readonly<Partial<Record<Action, { readonly does: string; readonly picture: unknown[] }>>> = {
  accept: { does: 'it stays', picture: ['connected', 'first', 1, 0, 'healthy'] },
  next: { does: 'the other one is next', picture: ['connected', 'second', 1, 1, 'suspect'] },
  cool: { does: 'the other one is next', picture: ['connected', 'second', 1, 1, 'suspect'] },
  // An endpoint that sends us away is left alone for a minute (R95).
  redirect: { does: 'the other one is next', picture: ['connected', 'second', 1, 1, 'ejected'] },
  unfit: {
    does: 'the other one is next, and this one is out',
    picture: ['connected', 'second', 1, 1, 'unusable'],
  },
  reauth: {
    does: 'the other one is asked, none is blamed',
    picture: ['connected', 'second', 1, 1, 'healthy'],
  },
  // The only such refusal is 0x97, which from one endpoint alone says that this one is full (S7).
  all: { does: 'the other one is asked first', picture: ['connected', 'second', 1, 1, 'suspect'] },
  fatal: { does: 'it stops, and does not ask the other one', picture: ['failed', null, 1, 0, 'healthy'] },
};

const UNKNOWN_ROWS: readonly (readonly [OutcomeKind, number])[] = [
  ['connack', 0xa3],
  ['connack', 0xff],
  ['connack-v3', 6],
  ['connack-v3', 0x85],
];

describe('CONNECT answered with', { concurrency: 4 }, () => {
  const unknown = UNKNOWN_ROWS.map(
    ([kind, code]) => ({ kind, code, name: '(unknown)', action: 'cool' }) as const,
  );
  for (const row of [...rowsOf('connack'), ...rowsOf('connack-v3'), ...unknown]) {
    const protocolVersion = row.kind === 'connack' ? 5 : 4;
    const expected = REFUSED[row.action];
    it(`MQTT ${protocolVersion === 5 ? '5' : '3.1.1'} ${title(row)}: ${expected?.does}`, async () => {
      assert.ok(expected, `a refusal with action ${row.action}`);
      const answer: Script = ({ cmd }, connection) =>
        cmd === 'connect' && row.code !== 0 ? refuse(connection, row.code as number) : undefined;
      await using world = await pair({ protocolVersion }, answer);
      await settled(world.made);
      if (rests(row)) assert.deepEqual(pictureOfRest(world), [...expected.picture.slice(0, 4), 'ejected']);
      else assert.deepEqual(picture(world), expected.picture);
      const failed = world.errors.map(({ code, retryable }) => [code, retryable]);
      assert.deepEqual(failed, row.action === 'fatal' ? [['ERR_ALL_FAILED', false]] : []);
    });
  }

  for (const { action, code, protocolVersion } of [
    ...[0x86, 0x87].map((each) => ({ action: 'auth-wait', code: each, protocolVersion: 5 }) as const),
    ...[4, 5].map((each) => ({ action: 'auth-wait', code: each, protocolVersion: 4 }) as const),
    ...[0x80, 0x89, 0x97, 0x88].map(
      (each) => ({ action: 'backoff', code: each, protocolVersion: 5 }) as const,
    ),
    ...[0x84, 0x95].map((each) => ({ action: 'failed', code: each, protocolVersion: 5 }) as const),
  ]) {
    it(`${title({ code, name: 'by both' })} ends in ${action} after one CONNECT each`, async () => {
      const answer: Script = ({ cmd }, connection) =>
        cmd === 'connect' ? refuse(connection, code) : undefined;
      await using world = await pair({ protocolVersion }, answer, answer);
      await settled(world.made);
      assert.deepEqual(picture(world).slice(0, 4), [action, null, 1, 1]);
      assert.deepEqual(
        world.errors.map((error) => error.code),
        ['ERR_ALL_FAILED'],
      );
    });
  }

  it('MQTT 3.1.1 code 1 by both ends in a wait, and is asked again: brokers fold other errors into it', async () => {
    const answer: Script = ({ cmd }, connection) => (cmd === 'connect' ? refuse(connection, 1) : undefined);
    const backoff = { spreadMs: 0, minMs: 1_000, baseMs: 0, maxMs: 1_000 };
    await using world = await pair({ protocolVersion: 4, backoff }, answer, answer);
    await until(() => world.first.connects === 2, { what: 'a second CONNECT' });
  });
});

/** Accepts, then disconnects with `code`: the first time, or every time. */
function disconnects(code: number, every = false): Script {
  return ({ cmd }, connection) => {
    if (cmd !== 'connect' || (connection.index > 0 && !every)) return false;
    accept(connection);
    connection.send({ cmd: 'disconnect', reasonCode: code });
    connection.end();
    return true;
  };
}

/** Milliseconds of the library between two CONNECTs at `first`. */
function gapAtFirst({ first }: Pair): number {
  const [one, two] = first.received.filter(({ packet }) => packet.cmd === 'connect');
  return ((two?.at ?? Number.NaN) - (one?.at ?? Number.NaN)) * HURRY;
}

/** Whether the client has come back, wherever to. */
function isBack({ made, first, second }: Pair): boolean {
  return made.status().state === 'connected' && first.connects + second.connects === 2;
}

/** Real milliseconds by which the first CONNECT may arrive late, or a timer fire early. */
const SLACK_MS = 80;

describe('an accepted connection ended by DISCONNECT with', { concurrency: 4 }, () => {
  for (const row of rowsOf('disconnect')) {
    const code = row.code as number;
    switch (row.action) {
      case 'same':
      case 'operation': {
        const [least, most] = new Map([
          [0x96, [5_000, 10_000]],
          [0x97, [5_000, 10_000]],
          [0x98, [5_000, 30_000]],
        ]).get(code) ?? [1_000, 2_000];
        it(`${title(row)}: it comes back to the same one after ${(least as number) / 1_000} s`, async () => {
          await using world = await pair({ protocolVersion: 5 }, disconnects(code));
          await until(() => isBack(world), { what: () => `two CONNECTs at first: ${picture(world)}` });
          assert.deepEqual(picture(world).slice(0, 4), ['connected', 'first', 2, 0]);
          const gap = gapAtFirst(world);
          // Two seconds of real time for a busy machine.
          assert.ok(gap >= (least as number) - SLACK_MS * HURRY, `${gap} ms`);
          assert.ok(gap <= (most as number) + 2_000 * HURRY, `${gap} ms`);
        });
        break;
      }
      case 'next':
      case 'cool':
      case 'redirect':
        it(`${title(row)}: it goes to the other one at once`, async () => {
          await using world = await pair({ protocolVersion: 5 }, disconnects(code));
          const [failover] = await once<[{ from: string; to: string; offlineMs: number }]>(
            world.made,
            'failover',
          );
          assert.deepEqual([failover.from, failover.to], ['first', 'second']);
          const seen = rests(row) ? pictureOfRest(world) : picture(world);
          assert.deepEqual(seen, ['connected', 'second', 1, 1, rests(row) ? 'ejected' : 'suspect']);
        });
        break;
      case 'reauth':
        it(`${title(row)}: it waits in auth-wait, and blames nobody`, async () => {
          await using world = await pair({ protocolVersion: 5 }, disconnects(code));
          await until(() => world.made.status().state === 'auth-wait');
          assert.deepEqual(picture(world).slice(1, 4), [null, 1, 0]);
          assert.notEqual(healthOf(world.made, 'first'), 'ejected');
        });
        break;
      case 'yield':
        it(`${title(row)}: it comes back once, to the same one`, async () => {
          await using world = await pair({ protocolVersion: 5 }, disconnects(code));
          await until(() => isBack(world), { what: () => `two CONNECTs at first: ${picture(world)}` });
          assert.deepEqual(picture(world), ['connected', 'first', 2, 0, 'healthy']);
        });
        it(`${title(row)} twice: it steps back in state conflict, and says until when`, async () => {
          await using world = await pair({ protocolVersion: 5 }, disconnects(code, true));
          const [conflict] = await once<[{ clientId: string; endpoint: string; retryAt: number }]>(
            world.made,
            'conflict',
          );
          assert.deepEqual([conflict.clientId, conflict.endpoint], ['device-7', 'first']);
          assert.deepEqual(picture(world), ['conflict', null, 2, 0, 'healthy']);
        });
        it(`${title(row)} twice: reconnect() resumes at once`, async () => {
          await using world = await pair({ protocolVersion: 5 }, disconnects(code, true));
          await once(world.made, 'conflict');
          world.first.script = undefined;
          world.second.script = undefined;
          world.made.reconnect();
          await once(world.made, 'connect');
          assert.equal(world.first.connects + world.second.connects, 3);
        });
        break;
      default:
        it(`${title(row)}: is a row that this test knows`, () => assert.fail(row.action));
    }
  }

  it('0xf3 (unknown): it goes to the other one', async () => {
    await using world = await pair({ protocolVersion: 5 }, () => false);
    await once(world.made, 'connect');
    const moved = once(world.made, 'failover');
    world.first.latest.sendRaw(Uint8Array.of(0xe0, 0x02, 0xf3, 0x00));
    await moved;
    assert.deepEqual(picture(world).slice(0, 4), ['connected', 'second', 1, 1]);
  });

  it('nothing at all, MQTT 3.1.1: a lone close is the loss of a link, not a conflict', async () => {
    await using world = await pair({ protocolVersion: 4 }, ({ cmd }, connection) => {
      if (cmd !== 'connect' || connection.index > 0) return false;
      accept(connection);
      connection.end();
      return true;
    });
    const conflicts = collect(world.made, 'conflict');
    await once(world.made, 'connect');
    await until(() => isBack(world));
    assert.deepEqual(conflicts, []);
  });
});

describe('a machine without a route to', { concurrency: 4 }, () => {
  /** The platform's network, where dialing `ids` fails as it does without a route. */
  const unroutable =
    (ids: readonly string[]): NonNullable<FailoverOptions['overrides']> =>
    (container) => {
      const real = container.resolve(tokens.network);
      container.register(tokens.network, {
        useValue: {
          schemes: real.schemes,
          open: (target, signal) =>
            ids.includes(target.endpoint.id)
              ? Promise.reject(Object.assign(new Error('connect ENETUNREACH'), { code: 'ENETUNREACH' }))
              : real.open(target, signal),
        },
      });
    };

  it('one broker only, of an address family that it does not have, uses the other one', async () => {
    await using world = await pair({ overrides: unroutable(['first']), backoff: {} }, () => false);
    await once(world.made, 'connect', 8_000);
    assert.equal(world.made.status().current, 'second');
  });

  it('one of three passes over a second one that refuses, to the third', async () => {
    await using busy = await scriptedBroker(({ cmd }, connection) =>
      cmd === 'connect' ? refuse(connection, 0x88) : undefined,
    );
    await using good = await scriptedBroker();
    const brokers = [
      { url: 'mqtt://127.0.0.1:9', id: 'first' },
      { url: busy.url, id: 'busy' },
      { url: good.url, id: 'good' },
    ];
    const options = { protocolVersion: 5, backoff: LONG_BACKOFF, overrides: unroutable(['first']) } as const;
    await using made = client(brokers, options);
    made.on('error', () => {});
    await settled(made);
    assert.equal(made.status().current, 'good');
  });

  it('any of them waits, and blames none', async () => {
    await using world = await pair({ overrides: unroutable(['first', 'second']) }, () => false);
    await settled(world.made);
    assert.deepEqual(picture(world), ['backoff', null, 0, 0, 'healthy']);
    assert.equal(healthOf(world.made, 'second'), 'healthy');
  });
});

/** No stagger: a busy machine must not make the second endpoint win. */
const ONE_BY_ONE = { dial: { race: 1 } } as const;

/** Milliseconds after which an endpoint has rested, and may be tried again at once. */
const RESTED_MS = 1_500;

/** A broker's WebSocket front: accepts CONNECT, and closes the first link with `code` after a while. */
async function closingFront(code: number, afterMs: number): Promise<Listener> {
  let connects = 0;
  const listener = new Listener(() => {
    const server = createHttpServer();
    new WebSocketServer({ server, handleProtocols: () => 'mqtt' }).on('connection', (socket) => {
      // CONNECT may come in several messages.
      socket.once('message', () => {
        connects += 1;
        socket.send(Uint8Array.of(0x20, 0x02, 0x00, 0x00));
        if (connects === 1) setTimeout(() => socket.close(code), afterMs);
      });
    });
    return server;
  });
  await listener.open();
  return listener;
}

/** The platform's network; transports to `id` break with a WebSocket close code that no peer can send. */
function breaking(id: string, closeCode: number, hurry: number): NonNullable<FailoverOptions['overrides']> {
  return withNetwork((real) => {
    let broken = false;
    return async (target, signal) => {
      const transport = await real.open(target, signal);
      if (target.endpoint.id === id && !broken) {
        broken = true;
        const fail = () => transport.destroy(Object.assign(new Error('closed'), { closeCode }));
        transport.on('data', () => setImmediate(fail));
      }
      return transport;
    };
  }, hurry);
}

/** The platform's network, where dialing `ids` fails with `code`. */
function undialable(ids: readonly string[], code: string): NonNullable<FailoverOptions['overrides']> {
  return withNetwork(
    (real) => (target, signal) =>
      ids.includes(target.endpoint.id)
        ? Promise.reject(Object.assign(new Error(`connect ${code}`), { code }))
        : real.open(target, signal),
  );
}

/** Hurried, with another way to open a transport. */
function withNetwork(
  open: (real: Network) => Network['open'],
  hurry = HURRY,
): NonNullable<FailoverOptions['overrides']> {
  return (container) => {
    hurried(hurry).overrides?.(container);
    const real = container.resolve(tokens.network);
    container.register(tokens.network, { useValue: { schemes: real.schemes, open: open(real) } });
  };
}

/** What a link's end with an action comes to: state and endpoint. */
const LOST: Readonly<Partial<Record<Action, { readonly does: string; readonly picture: unknown[] }>>> = {
  same: { does: 'it comes back to the same one', picture: ['connected', 'first'] },
  operation: { does: 'it comes back to the same one', picture: ['connected', 'first'] },
  next: { does: 'it goes to the other one', picture: ['connected', 'second'] },
  cool: { does: 'it goes to the other one', picture: ['connected', 'second'] },
  reauth: { does: 'it waits in auth-wait', picture: ['auth-wait', null] },
};

describe('a WebSocket link closed with', { concurrency: 4 }, () => {
  /** Codes that end a link without having been sent. */
  const UNSENDABLE = new Set<number | string>([1006, 1015]);
  for (const row of rowsOf('websocket')) {
    const code = row.code as number;
    const expected = LOST[row.action];
    it(`${code} ${row.name}: ${expected?.does}`, async () => {
      assert.ok(expected, `a lost link with action ${row.action}`);
      // The half second that one which has just dropped us gets for CONNACK is real: a busy machine needs some of it.
      const hurry = expected.picture[1] === 'first' ? 1 : HURRY;
      const front = await closingFront(code, RESTED_MS / hurry);
      const world = UNSENDABLE.has(code)
        ? await pair({ ...ONE_BY_ONE, overrides: breaking('first', code, hurry) }, () => false)
        : await pair(
            { ...ONE_BY_ONE, ...hurried(hurry) },
            () => false,
            undefined,
            `ws://${HOST}:${front.port}`,
          );
      try {
        await until(
          () => world.made.status().counters.connects === 2 || world.made.status().state === 'auth-wait',
          {
            what: () => `the client to come to rest: ${JSON.stringify(world.made.status())}`,
          },
        );
        const { state, current } = world.made.status();
        assert.deepEqual([state, current, healthOf(world.made, 'second')], [...expected.picture, 'healthy']);
        assert.deepEqual(world.errors, []);
      } finally {
        await world[Symbol.asyncDispose]();
        await front.crash();
      }
    });
  }
});

describe('a WebSocket upgrade answered with', { concurrency: 4 }, () => {
  for (const row of rowsOf('http')) {
    const expected = REFUSED[row.action];
    it(`${row.code} ${row.name}: ${expected?.does}`, async () => {
      assert.ok(expected, `a refusal with action ${row.action}`);
      const listener = new Listener(() =>
        createHttpServer((_, response) => response.writeHead(row.code as number).end()),
      );
      await listener.open();
      try {
        await using world = await pair(ONE_BY_ONE, () => false, undefined, `ws://${HOST}:${listener.port}`);
        await settled(world.made);
        assert.deepEqual(picture(world), undialed(expected.picture));
      } finally {
        await listener.crash();
      }
    });
  }
});

/** The picture of a refusal that no CONNECT was sent for. */
function undialed([state, current, , second, health]: readonly unknown[]): unknown[] {
  return [state, current, 0, second, health];
}

describe('a dial that fails with', { concurrency: 4 }, () => {
  for (const row of [...rowsOf('socket'), ...rowsOf('tls')]) {
    const code = String(row.code);
    if (row.action !== 'all') {
      it(`${code}: ${REFUSED[row.action]?.does}`, async () => {
        await using world = await pair(
          { ...ONE_BY_ONE, overrides: undialable(['first'], code) },
          () => false,
        );
        await settled(world.made);
        const expected = undialed(REFUSED[row.action]?.picture ?? []);
        assert.deepEqual(picture(world), rests(row) ? [...expected.slice(0, 4), 'ejected'] : expected);
      });
      continue;
    }
    it(`${code}: none is blamed; the others of the race still may win`, async () => {
      await using world = await pair({ ...ONE_BY_ONE, overrides: undialable(['first'], code) }, () => false);
      await settled(world.made);
      assert.deepEqual(picture(world), ['connected', 'second', 0, 1, 'healthy']);
    });
    it(`${code} for both: it waits, and none is blamed`, async () => {
      const both = undialable(['first', 'second'], code);
      await using world = await pair({ ...ONE_BY_ONE, overrides: both }, () => false);
      await settled(world.made);
      assert.deepEqual(picture(world), ['backoff', null, 0, 0, 'healthy']);
      assert.equal(healthOf(world.made, 'second'), 'healthy');
    });
  }
});

describe('no word from a broker:', { concurrency: 4 }, () => {
  const cases: Readonly<Record<string, () => Promise<Pair>>> = {
    'transport-timeout': () =>
      pair(
        {
          dial: { race: 1, transportTimeoutMs: 5_000 },
          overrides: withNetwork(
            (real) => (target, signal) =>
              target.endpoint.id === 'first' ? hanging(signal) : real.open(target, signal),
          ),
        },
        () => false,
      ),
    'connack-timeout': () => pair({ dial: { race: 1, connackTimeoutMs: 5_000 } }, () => true),
    'closed-before-connack': () => pair(ONE_BY_ONE, (_, connection) => connection.end()),
    'no-credentials': () =>
      pair(
        {
          credentials: ({ id }) => {
            throw new Error(`no token for ${id}`);
          },
        },
        () => false,
      ),
    silent: () =>
      pair(
        {},
        ({ cmd }, connection) => (cmd === 'connect' ? accept(connection) : true),
        undefined,
        undefined,
        (made) => made.publish('t', 'x', { qos: 1 }),
      ),
    malformed: () =>
      pair(ONE_BY_ONE, (_, connection) => {
        connection.sendRaw(Uint8Array.of(0x2f, 0x00));
        return true;
      }),
    closed: () =>
      // In real time: see the close codes of WebSocket above.
      pair({ ...ONE_BY_ONE, ...hurried(1) }, ({ cmd }, connection) => {
        if (cmd !== 'connect' || connection.index > 0) return false;
        accept(connection);
        setTimeout(() => connection.end(), RESTED_MS);
        return true;
      }),
  };
  for (const row of rowsOf('link')) {
    const arrange = cases[String(row.code)];
    it(`${row.code}: ${row.name}: ${row.action}`, async () => {
      assert.ok(arrange, `the row ${row.code} has a case`);
      await using world = await arrange();
      await until(
        () => {
          const { state, counters, current } = world.made.status();
          if (row.action === 'all') return state === 'backoff';
          if (row.action === 'same') return state === 'connected' && counters.connects === 2;
          return state === 'connected' && current === 'second';
        },
        { what: () => `the client to come to rest: ${JSON.stringify(world.made.status())}` },
      );
      const blamed = row.action === 'cool' || row.action === 'next';
      const where = row.action === 'all' ? null : row.action === 'same' ? 'first' : 'second';
      assert.equal(world.made.status().current, where);
      if (blamed) assert.equal(healthOf(world.made, 'first'), 'suspect');
      assert.equal(healthOf(world.made, 'second'), 'healthy');
    });
  }
});

function hanging(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

it('every kind of outcome has its tests here', () => {
  const tested: readonly OutcomeKind[] = [
    'connack',
    'connack-v3',
    'disconnect',
    'websocket',
    'http',
    'tls',
    'socket',
    'link',
  ];
  assert.deepEqual([...new Set(OUTCOMES.map(({ kind }) => kind))].sort(), [...tested].sort());
});

/** Real milliseconds over which a storm is counted. */
const STORM_MS = 8_000;

interface Storm {
  readonly name: string;
  readonly atMost: number;
  readonly options: FailoverOptions;
  readonly script: Script;
}

const STORMS: readonly Storm[] = [
  { name: '0x8E every time', atMost: 3, options: { protocolVersion: 5 }, script: disconnects(0x8e, true) },
  {
    name: '0x86 everywhere',
    atMost: 3,
    options: { protocolVersion: 5 },
    script: ({ cmd }, connection) => (cmd === 'connect' ? refuse(connection, 0x86) : undefined),
  },
  {
    name: 'MQTT 3.1.1 code 5 everywhere',
    atMost: 3,
    options: { protocolVersion: 4 },
    script: ({ cmd }, connection) => (cmd === 'connect' ? refuse(connection, 5) : undefined),
  },
  {
    name: '0x97 everywhere',
    atMost: 8,
    options: { protocolVersion: 5 },
    script: ({ cmd }, connection) => (cmd === 'connect' ? refuse(connection, 0x97) : undefined),
  },
  {
    name: '0x98 every time',
    atMost: 3,
    options: { protocolVersion: 5 },
    script: disconnects(0x98, true),
  },
  ...([4, 5] as const).flatMap((protocolVersion): Storm[] => [
    {
      name: `closed at CONNECT, MQTT ${protocolVersion}`,
      atMost: 15,
      options: { protocolVersion },
      script: ({ cmd }, connection) => {
        if (cmd === 'connect') connection.end();
        return true;
      },
    },
    {
      name: `closed after CONNACK, MQTT ${protocolVersion}`,
      atMost: 15,
      options: { protocolVersion },
      script: ({ cmd }, connection) => {
        if (cmd !== 'connect') return false;
        accept(connection);
        connection.end();
        return true;
      },
    },
    {
      name: `reset after CONNACK, MQTT ${protocolVersion}`,
      atMost: 15,
      options: { protocolVersion },
      script: ({ cmd }, connection) => {
        if (cmd !== 'connect') return false;
        accept(connection);
        setTimeout(() => connection.reset(), 20);
        return true;
      },
    },
  ]),
];

/** A client with the defaults, but for chance that repeats. */
function calm(urls: readonly string[], options: FailoverOptions): FailoverClient & AsyncDisposable {
  const made = connect([...urls], {
    clientId: 'device-7',
    overrides: (container) => void container.register(tokens.random, { useValue: new SeededRandom(17) }),
    ...options,
  });
  made.on('error', () => {});
  return disposable(made);
}

describe('no storm comes of', { concurrency: true }, () => {
  for (const { name, atMost, options, script } of STORMS) {
    it(`${name}: at most ${atMost} CONNECTs in ${STORM_MS / 1_000} s`, async () => {
      await using one = await scriptedBroker(script);
      await using two = await scriptedBroker(script);
      await using three = await scriptedBroker(script);
      const brokers = [one, two, three];
      await using _made = calm(
        brokers.map(({ url }) => url),
        options,
      );
      await pause(STORM_MS);
      const connects = brokers.reduce((sum, broker) => sum + broker.connects, 0);
      assert.ok(connects >= 1 && connects <= atMost, `${connects} CONNECTs`);
    });
  }

  it(`brokers that close whatever they accept: at most 15 connections in ${STORM_MS / 1_000} s`, async () => {
    let accepted = 0;
    const make = async () => {
      const listener = new Listener(() =>
        createServer((socket) => {
          accepted += 1;
          socket.end();
        }),
      );
      await listener.open();
      return listener;
    };
    const listeners = await Promise.all([make(), make(), make()]);
    try {
      await using _made = calm(
        listeners.map(({ port }) => `mqtt://${HOST}:${port}`),
        {},
      );
      await pause(STORM_MS);
      assert.ok(accepted >= 3 && accepted <= 15, `${accepted} connections`);
    } finally {
      await Promise.all(listeners.map((listener) => listener.crash()));
    }
  });
});
