/**
 * What we rely on in MQTT.js beyond its documentation: fails when a new version behaves otherwise.
 *
 * World: a real MQTT.js client over an in-memory stream, with a few lines of mqtt-packet as the broker.
 */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import mqtt, { type IClientOptions, type IStore, type Packet, type StreamBuilder } from 'mqtt';
import { generate, parser, type Packet as WirePacket } from 'mqtt-packet';
import { streamBuilderOf, writePacket } from '../../../src/mqtt/mqttjs-internals.js';
import { until } from '../../support/events.js';

/** A client, and the far end of its stream. */
function world(options: IClientOptions = {}, connack: object = {}) {
  const received: WirePacket[] = [];
  const streams: Duplex[] = [];
  const log: string[] = [];
  const send = (packet: object) => streams.at(-1)!.push(generate(packet as WirePacket));
  const builder: StreamBuilder = () => {
    const incoming = parser({ protocolVersion: 4 });
    const stream = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        incoming.parse(chunk);
        done();
      },
    });
    incoming.on('packet', (packet) => {
      received.push(packet);
      if (packet.cmd === 'connect')
        send({ cmd: 'connack', sessionPresent: false, returnCode: 0, ...connack });
      if (packet.cmd === 'subscribe') send({ cmd: 'suback', messageId: packet.messageId, granted: [0] });
    });
    streams.push(stream);
    return stream as ReturnType<StreamBuilder>;
  };
  const client = new mqtt.MqttClient(builder, {
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId: 'c',
    keepalive: 0,
    manualConnect: true,
    reconnectPeriod: 2_147_483_647,
    connectTimeout: 2_147_483_647,
    ...options,
  });
  for (const event of ['connect', 'close', 'offline', 'error'] as const)
    client.on(event, () => log.push(event));
  const stop = async () => {
    for (const id of Object.keys(client.outgoing)) delete client.outgoing[Number(id)];
    await client.endAsync(true);
  };
  return { client, builder, received, streams, log, send, stop };
}

const connected = async (options?: IClientOptions) => {
  const w = world(options);
  w.client.connect();
  await until(() => w.client.connected);
  return w;
};

describe('the private members of MQTT.js', () => {
  test('are there: _writePacket and streamBuilder', async () => {
    const { client, builder, stop } = await connected();
    assert.equal(typeof (client as unknown as { _writePacket: unknown })._writePacket, 'function');
    assert.equal(streamBuilderOf(client), builder);
    await stop();
  });

  test('_writePacket writes a packet as it is, emits packetsend and stores nothing', async () => {
    const { client, received, stop } = await connected();
    const sent: Packet[] = [];
    client.on('packetsend', (packet) => sent.push(packet));
    const packet = {
      cmd: 'publish',
      messageId: 77,
      topic: 't',
      payload: 'x',
      qos: 1,
      dup: true,
      retain: false,
    } as const;
    writePacket(client, packet);
    await until(() => received.length === 2);
    const { messageId, dup } = received[1] as typeof packet;
    assert.deepEqual([messageId, dup, sent, client.outgoing[77]], [77, true, [packet], undefined]);
    await stop();
  });

  test('mqtt.connect with manualConnect builds a client without dialing', () => {
    const client = mqtt.connect('mqtt://127.0.0.1:9', { manualConnect: true });
    assert.equal(typeof streamBuilderOf(client), 'function');
    assert.equal(client.connected, false);
    assert.ok(!client.stream);
  });
});

describe("MQTT.js's store", () => {
  test('is asked for a stream of which only on, once, read and destroy are used, and ends at `readable`', async () => {
    const used = new Set<string>();
    let asked = 0;
    let onEnd = () => {};
    const stream = new Proxy({} as Record<string, unknown>, {
      get: (_target, name) => {
        used.add(String(name));
        return (event?: unknown, listener?: () => void) => {
          if (name === 'on' && event === 'end') onEnd = listener as () => void;
          if (name === 'once' && event === 'readable') onEnd();
          return name === 'read' ? null : stream;
        };
      },
    });
    const inner = new mqtt.Store();
    const outgoingStore: IStore = {
      put: (...args) => inner.put(...args) as never,
      del: (...args) => inner.del(...args) as never,
      get: (...args) => inner.get(...args) as never,
      close: (callback) => inner.close(callback as () => void),
      createStream: () => {
        asked += 1;
        return stream as never;
      },
    };
    const { client, log, streams, stop } = await connected({ outgoingStore });
    streams[0]!.destroy();
    await until(() => log.includes('close'));
    client.connect();
    await until(() => client.connected);
    assert.deepEqual(
      [...used].filter((name) => !['on', 'once', 'read', 'destroy'].includes(name)),
      [],
    );
    assert.deepEqual([asked, log.filter((event) => event === 'connect').length], [2, 2]);
    await stop();
  });

  test('is given a copy of each PUBLISH during publish itself, with the id of the wire', async () => {
    const puts: Packet[] = [];
    const outgoingStore = watched((_what, packet) => puts.push(packet));
    const { client, stop } = await connected({ outgoingStore });
    const payload = Buffer.from('before');
    client.publish('t', payload, { qos: 1 });
    assert.equal(puts.length, 1);
    payload.write('after!');
    const [put] = puts as [{ cmd: string; messageId: number; payload: Buffer }];
    assert.deepEqual(
      [put.cmd, String(put.payload), client.outgoing[put.messageId]?.cmd],
      ['publish', 'before', 'publish'],
    );
    await stop();
  });

  test('holds a PUBREL in place of the PUBLISH after PUBREC, and nothing after PUBCOMP', async () => {
    const log: string[] = [];
    const outgoingStore = watched((what, { cmd }) => log.push(what === 'put' ? `put ${cmd}` : what));
    const { client, send, stop } = await connected({ outgoingStore });
    const done = new Promise<void>((resolve) => {
      client.publish('t', 'x', { qos: 2 }, () => {
        log.push('callback');
        resolve();
      });
    });
    const messageId = client.getLastMessageId();
    send({ cmd: 'pubrec', messageId });
    await until(() => log.includes('put pubrel'));
    send({ cmd: 'pubcomp', messageId });
    await done;
    assert.deepEqual(log, ['put publish', 'put pubrel', 'del', 'callback']);
    await stop();
  });
});

describe('the callback of a publish', () => {
  test('is kept in outgoing[id].cb, survives the connection, and is forgotten when that is deleted', async () => {
    const { client, log, send, streams, stop } = await connected();
    const called: string[] = [];
    client.publish('t', 'x', { qos: 1 }, () => called.push('kept'));
    const kept = client.getLastMessageId();
    client.publish('t', 'x', { qos: 1 }, () => called.push('forgotten'));
    const forgotten = client.getLastMessageId();
    assert.equal(typeof client.outgoing[kept]?.cb, 'function');
    delete client.outgoing[forgotten];
    send({ cmd: 'puback', messageId: forgotten });
    send({ cmd: 'puback', messageId: kept });
    await until(() => called.length > 0);
    assert.deepEqual(called, ['kept']);
    client.publish('t', 'x', { qos: 1 }, () => called.push('later'));
    const later = client.getLastMessageId();
    streams[0]!.destroy();
    await until(() => log.includes('close'));
    assert.equal(typeof client.outgoing[later]?.cb, 'function');
    await stop();
    assert.deepEqual(called, ['kept']);
  });

  test('is called at PUBACK for a packet that _writePacket wrote on the next connection', async () => {
    const { client, log, send, streams, stop } = await connected({
      outgoingStore: Object.assign(new mqtt.Store(), { createStream: emptyStream }),
      messageIdProvider: new mqtt.UniqueMessageIdProvider(),
    });
    let called = 0;
    client.publish('t', 'x', { qos: 1 }, () => {
      called += 1;
    });
    const messageId = client.getLastMessageId();
    streams[0]!.destroy();
    await until(() => log.includes('close'));
    client.connect();
    await until(() => client.connected);
    writePacket(client, {
      cmd: 'publish',
      messageId,
      topic: 't',
      payload: 'x',
      qos: 1,
      dup: true,
      retain: false,
    });
    send({ cmd: 'puback', messageId });
    await until(() => called === 1);
    await stop();
  });
});

describe('a connection', () => {
  test('clears the id provider at CONNACK, before connect is emitted', async () => {
    const calls: string[] = [];
    class Provider extends mqtt.UniqueMessageIdProvider {
      override clear(): void {
        calls.push('clear');
        super.clear();
      }
    }
    const { client, stop } = world({ messageIdProvider: new Provider() });
    client.on('packetreceive', ({ cmd }) => calls.push(cmd));
    client.on('connect', () => calls.push('connect'));
    client.connect();
    await until(() => client.connected && calls.length >= 3);
    assert.deepEqual(calls, ['connack', 'clear', 'connect']);
    await stop();
  });

  test('that is refused destroys its stream before error, and leaves reconnection to us with reconnectOnConnackError', async () => {
    for (const reconnectOnConnackError of [true, false]) {
      const { client, log, streams, stop } = world({ reconnectOnConnackError }, { returnCode: 5 });
      let destroyedFirst = false;
      client.on('error', () => {
        destroyedFirst = streams[0]!.destroyed;
      });
      client.connect();
      await until(() => log.includes('close'));
      const { reconnecting } = client;
      assert.deepEqual(
        [destroyedFirst, reconnecting, log.includes('error')],
        [true, reconnectOnConnackError, true],
      );
      await stop();
    }
  });

  test('that is lost settles subscribe with an error and no packet', async () => {
    const { client, streams, stop } = await connected();
    const answers: unknown[][] = [];
    client.subscribe('t', (...args) => answers.push(args));
    await until(() => answers.length === 1);
    assert.equal((answers[0]![2] as Packet).cmd, 'suback');
    client.unsubscribe('t', (...args) => answers.push(args));
    streams[0]!.destroy();
    await until(() => answers.length === 2);
    assert.match(String(answers[1]?.[0]), /Connection closed/);
    assert.equal(answers[1]?.[1], undefined);
    await stop();
  });

  test('never makes MQTT.js reconnect by itself with the longest period', async () => {
    const { client, log, streams, stop } = await connected();
    streams[0]!.destroy();
    await until(() => log.includes('close'));
    assert.deepEqual([log, client.reconnecting, streams.length], [['connect', 'offline', 'close'], true, 1]);
    await stop();
  });
});

/** MQTT.js's own store, which tells of every `put` and `del`. */
function watched(note: (what: 'put' | 'del', packet: Packet) => void): InstanceType<typeof mqtt.Store> {
  const store = new mqtt.Store();
  const put = store.put.bind(store);
  const del = store.del.bind(store);
  store.put = (packet, callback) => {
    note('put', packet);
    return put(packet, callback);
  };
  store.del = (packet, callback) => {
    note('del', packet as Packet);
    return del(packet, callback);
  };
  return store;
}

function emptyStream() {
  const stream = {
    on: (event: string, listener: () => void) => {
      if (event === 'end') stream.end = listener;
      return stream;
    },
    once: (event: string) => {
      if (event === 'readable') stream.end();
      return stream;
    },
    end: () => {},
    read: () => null,
    destroy: () => {},
  };
  return stream as never;
}
