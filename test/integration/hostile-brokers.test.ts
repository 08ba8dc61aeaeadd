/**
 * Brokers that answer badly: malformed, contradictory, endless or not at all.
 *
 * World: `first` does what the case says, `second` serves; both on 127.0.0.1. Whatever `first` does costs the client
 * that endpoint, is told with its name, is no `error` of the application, and takes no memory.
 */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { generate, type Packet } from 'mqtt-packet';
import type { FailoverEvents, FailoverOptions } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { HOST, Listener } from '../support/listener.js';
import { type Script, type ScriptedConnection, scriptedBroker } from '../support/scripted-broker.js';
import { accept, client } from './world.js';

const MEBIBYTE = 1_048_576;
const KIB_64 = 'x'.repeat(65_535);
const V5 = { protocolVersion: 5, clientId: 'device-7' } as const;

/** Answers CONNECT with `send`, the first time. */
const onConnect =
  (send: (connection: ScriptedConnection) => void): Script =>
  ({ cmd }, connection) => {
    if (cmd !== 'connect') return false;
    send(connection);
    return true;
  };

const raw = (...bytes: number[]) => onConnect((connection) => connection.sendRaw(Uint8Array.from(bytes)));
const connack = (packet: object) =>
  onConnect((connection) =>
    connection.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0, ...packet } as Packet),
  );

interface Outcome {
  readonly errors: Error[];
  readonly health: FailoverEvents['health'][];
  readonly current: string | null;
  readonly first: string | undefined;
}

/** Connects to a `first` with this script and a good `second`; resolves when the client is on `second`. */
async function leavesFirst(script: Script, options: FailoverOptions = V5): Promise<Outcome> {
  await using first = await scriptedBroker(script);
  await using second = await scriptedBroker();
  await using made = client(
    [
      { url: first.url, id: 'first' },
      { url: second.url, id: 'second' },
    ],
    { dial: { connackTimeoutMs: 1_000 }, ...options },
  );
  const errors = collect<Error>(made, 'error');
  const health = collect<FailoverEvents['health']>(made, 'health');
  await until(() => made.status().current === 'second' && made.connected, {
    what: () => `the client on second: ${JSON.stringify(made.status())}`,
  });
  await made.publishAsync('t', 'x', { qos: 1 });
  const { current, endpoints } = made.status();
  return { errors, health, current, first: endpoints.find(({ id }) => id === 'first')?.state };
}

describe('a broker whose answer to CONNECT is', { concurrency: 4 }, () => {
  const CASES: Readonly<Record<string, Script>> = {
    'no MQTT at all': onConnect((connection) =>
      connection.sendRaw(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
    ),
    'a TLS alert': raw(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28),
    'half a CONNACK, then nothing': raw(0x20, 0x03, 0x00),
    nothing: () => true,
    'a CONNACK with reserved flags': raw(0x2f, 0x03, 0x00, 0x00, 0x00),
    'a CONNACK without flags and code': raw(0x20, 0x00),
    'half a CONNACK, its length said to be 0': raw(0x20, 0x00, 0x00),
    'a length of five bytes': raw(0x20, 0xff, 0xff, 0xff, 0xff, 0x7f),
    'a length of 256 MiB': raw(0x20, 0xff, 0xff, 0xff, 0x7f),
    'an unknown property': raw(0x20, 0x05, 0x00, 0x00, 0x02, 0x7f, 0x00),
    'a packet of type 0': raw(0x00, 0x00),
    'Receive Maximum 0': connack({ properties: { receiveMaximum: 0 } }),
    'a refusal with a reason string of 64 KiB': connack({
      reasonCode: 0x88,
      properties: { reasonString: KIB_64 },
    }),
    'a refusal with an unknown code': connack({ reasonCode: 0xf1 }),
  };
  for (const [what, script] of Object.entries(CASES)) {
    it(`${what} is passed over, and named in a health event`, async () => {
      const { errors, health, current, first } = await leavesFirst(script);
      assert.deepEqual([errors, current, first], [[], 'second', 'suspect']);
      const [told] = health;
      assert.equal(told?.endpoint, 'first');
      assert.match(told.reason, /first/);
      // What a broker says is no part of what we say.
      assert.ok(told.reason.length < 300, `a reason of ${told.reason.length} characters`);
    });
  }
});

describe('a broker whose CONNACK contradicts us is served all the same with', { concurrency: 4 }, () => {
  const CASES: Readonly<Record<string, [Script, FailoverOptions?]>> = {
    'Server Keep Alive 0': [connack({ properties: { serverKeepAlive: 0 } })],
    'Server Keep Alive 1': [connack({ properties: { serverKeepAlive: 1 } })],
    'an Assigned Client Identifier though we sent one': [
      connack({ properties: { assignedClientIdentifier: 'somebody-else' } }),
    ],
    'Session Present though we asked for a clean start': [connack({ sessionPresent: true })],
    'Maximum QoS 2': [connack({ properties: { maximumQoS: 2 } })],
    'Topic Alias Maximum 65535': [connack({ properties: { topicAliasMaximum: 65_535 } })],
    'a reason string of 64 KiB': [connack({ properties: { reasonString: KIB_64 } })],
    '2000 user properties': [
      connack({
        properties: {
          userProperties: Object.fromEntries(
            Array.from({ length: 2_000 }, (_, n) => [`k${n}`, KIB_64.slice(0, 64)]),
          ),
        },
      }),
    ],
    'a user property named __proto__': [
      connack({ properties: { userProperties: JSON.parse('{"__proto__":"polluted"}') } }),
    ],
  };
  for (const [what, [script, options = V5]] of Object.entries(CASES)) {
    it(what, async () => {
      await using first = await scriptedBroker(script);
      await using second = await scriptedBroker();
      await using made = client([first.url, second.url], options);
      const errors = collect<Error>(made, 'error');
      await once(made, 'connect');
      await made.publishAsync('t', 'x', { qos: 1 });
      assert.deepEqual(
        [errors, second.connects, made.options.clientId, made.status().clientId],
        [[], 0, 'device-7', 'device-7'],
      );
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    });
  }
});

describe('a connection over which the broker sends', { concurrency: 4 }, () => {
  const CASES: Readonly<Record<string, (connection: ScriptedConnection) => void>> = {
    'no MQTT': (connection) => connection.sendRaw(Buffer.from('GARBAGE\r\n\r\n')),
    'a second CONNACK': (connection) => accept(connection),
    'a DISCONNECT that is malformed': (connection) => connection.sendRaw(Uint8Array.of(0xe1, 0x00)),
    'a PUBLISH with QoS 3': (connection) =>
      connection.sendRaw(Uint8Array.of(0x36, 0x05, 0x00, 0x01, 0x74, 0x00, 0x01)),
    'a DISCONNECT with a reason string of 64 KiB': (connection) =>
      connection.send({
        cmd: 'disconnect',
        reasonCode: 0x8b,
        properties: { reasonString: KIB_64 },
      } as Packet),
    'a PUBREL without a packet id': (connection) => connection.sendRaw(Uint8Array.of(0x62, 0x00)),
    'a PUBLISH with QoS 2 and packet id 0': (connection) =>
      connection.sendRaw(Uint8Array.of(0x34, 0x06, 0x00, 0x01, 0x74, 0x00, 0x00, 0x00)),
    'a topic alias that it never defined': (connection) =>
      connection.sendRaw(
        generate(
          {
            cmd: 'publish',
            topic: '',
            payload: 'x',
            qos: 0,
            dup: false,
            retain: false,
            properties: { topicAlias: 9 },
          },
          { protocolVersion: 5 },
        ),
      ),
    'an AUTH that nobody asked for': (connection) =>
      connection.send({ cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'x' } } as Packet),
  };
  for (const [what, misbehave] of Object.entries(CASES)) {
    it(`${what} is left for the next endpoint`, async () => {
      await using first = await scriptedBroker();
      await using second = await scriptedBroker();
      await using made = client(
        [
          { url: first.url, id: 'first' },
          { url: second.url, id: 'second' },
        ],
        V5,
      );
      const errors = collect<Error>(made, 'error');
      await once(made, 'connect');
      const moved = once<[FailoverEvents['failover']]>(made, 'failover');
      misbehave(first.latest);
      const [failover] = await moved;
      assert.deepEqual([failover.from, failover.to, errors], ['first', 'second', []]);
      assert.match(failover.reason, /first/);
      assert.ok(failover.reason.length < 300, `a reason of ${failover.reason.length} characters`);
    });
  }
});

describe('a Server Reference', { concurrency: 4 }, () => {
  const CASES: Readonly<Record<string, string>> = {
    'that is empty': '',
    'that says undefined': 'undefined',
    'that says undefined:undefined': 'undefined:undefined',
    'of 64 KiB': `second:1883 ${'x'.repeat(65_000)}`,
    'of blanks': ' '.repeat(1_000),
    'of control characters': 'sec\u0001ond\r\nHost: evil',
    'with an open bracket': '[::',
    'with an empty bracket': '[]:1883',
    'with port 0': '127.0.0.9:0',
    'with port 65536': '127.0.0.9:65536',
    'with a port in words': '127.0.0.9:mqtt',
    'in punycode': 'xn--80ak6aa92e.example:1883',
    'that is a URL': 'mqtt://evil.example:1883/?x=1',
    'with user info': 'user:secret@127.0.0.9:1883',
    'with a path': '127.0.0.9:1883/../../x',
    'that names a stranger': '169.254.169.254:80',
    'with a prototype': '__proto__ constructor',
  };
  for (const [what, serverReference] of Object.entries(CASES)) {
    for (const reasonCode of [0x9c, 0x9d]) {
      it(`${what}, code 0x${reasonCode.toString(16)}: leads nowhere, and the next endpoint is used`, async () => {
        await using first = await scriptedBroker(
          onConnect((connection) => {
            connection.send({
              cmd: 'connack',
              sessionPresent: false,
              reasonCode,
              properties: { serverReference },
            });
            connection.end();
          }),
        );
        await using second = await scriptedBroker();
        await using made = client(
          [
            { url: first.url, id: 'first' },
            { url: second.url, id: 'second' },
          ],
          V5,
        );
        const redirects = collect<FailoverEvents['redirect']>(made, 'redirect');
        await once(made, 'connect');
        assert.deepEqual([made.status().current, redirects.length], ['second', 1]);
        assert.deepEqual(
          [redirects[0]?.from, redirects[0]?.to, redirects[0]?.code],
          ['first', null, reasonCode],
        );
        assert.ok((redirects[0]?.reason.length ?? 0) < 100);
        assert.deepEqual(
          made.status().endpoints.map(({ id }) => id),
          ['first', 'second'],
        );
      });
    }
  }
});

describe('a broker that announces a packet of 256 MiB and sends without end', () => {
  /** A broker of sockets alone: after `answer`, it writes zeros as fast as they are taken. */
  async function flood(answer: Buffer): Promise<{ listener: Listener; sent: () => number }> {
    let sent = 0;
    const chunk = Buffer.alloc(65_536);
    const listener = new Listener(() =>
      createServer((socket: Socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          socket.write(answer);
          const pump = () => {
            while (socket.writable && sent < 256 * MEBIBYTE) {
              sent += chunk.length;
              if (!socket.write(chunk)) {
                socket.once('drain', pump);
                return;
              }
            }
          };
          pump();
        });
      }),
    );
    await listener.open();
    return { listener, sent: () => sent };
  }

  const HEADER = Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);
  const ACCEPT = generate(
    { cmd: 'connack', sessionPresent: false, reasonCode: 0, properties: {} },
    { protocolVersion: 5 },
  );
  const CASES: Readonly<Record<string, [Buffer, FailoverOptions]>> = {
    'in place of CONNACK': [HEADER, V5],
    'as CONNACK': [Buffer.from([0x20, ...HEADER.subarray(1)]), V5],
    'as CONNACK, MQTT 3.1.1': [
      Buffer.from([0x20, ...HEADER.subarray(1)]),
      { protocolVersion: 4, clientId: 'device-7' },
    ],
    'after CONNACK, beyond what we announced': [
      Buffer.concat([ACCEPT, HEADER]),
      { ...V5, properties: { maximumPacketSize: MEBIBYTE } },
    ],
  };
  for (const [what, [answer, options]] of Object.entries(CASES)) {
    it(`${what} is left at once, and memory stays flat`, async () => {
      const { listener, sent } = await flood(answer);
      try {
        await using second = await scriptedBroker();
        const before = process.memoryUsage();
        await using made = client(
          [
            { url: `mqtt://${HOST}:${listener.port}`, id: 'first' },
            { url: second.url, id: 'second' },
          ],
          options,
        );
        const errors = collect<Error>(made, 'error');
        await until(() => made.status().current === 'second' && made.connected);
        const { arrayBuffers, external } = process.memoryUsage();
        const grown = Math.max(arrayBuffers - before.arrayBuffers, external - before.external);
        assert.deepEqual([errors, made.status().endpoints[0]?.state], [[], 'suspect']);
        assert.ok(grown < 16 * MEBIBYTE, `${Math.round(grown / MEBIBYTE)} MiB more`);
        assert.ok(sent() < 64 * MEBIBYTE, `${Math.round(sent() / MEBIBYTE)} MiB were sent`);
      } finally {
        await listener.crash();
      }
    });
  }

  it('after CONNACK, beyond what we announced, is told so with DISCONNECT 0x95', async () => {
    await using first = await scriptedBroker();
    await using second = await scriptedBroker();
    await using made = client([first.url, second.url], { ...V5, properties: { maximumPacketSize: 1_000 } });
    await once(made, 'connect');
    const moved = once(made, 'failover');
    first.latest.sendRaw(HEADER);
    await moved;
    const disconnect = await first.waitFor('disconnect');
    assert.equal(disconnect.reasonCode, 0x95);
  });
});
