/** MQTT.js's outgoing store, in our hands: it remembers everything in flight and shows MQTT.js nothing to replay. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IPublishPacket, Packet } from 'mqtt';
import { InFlight } from '../../../src/delivery/in-flight.js';
import { createMessage } from '../../../src/delivery/message.js';

const publish = (messageId: number): IPublishPacket => ({
  cmd: 'publish',
  messageId,
  topic: 't',
  payload: 'xx',
  qos: 2,
  retain: false,
  dup: false,
});

function world() {
  const store = new InFlight();
  let removed = 0;
  store.onRemoved(() => {
    removed += 1;
  });
  const send = (id: number, publishedAt = 0) => {
    const message = createMessage('t', 'xx', { qos: 2 }, () => {}, publishedAt);
    store.track(message, () => store.put(publish(id), () => {}));
    return message;
  };
  return { store, send, removedCount: () => removed };
}

describe('in-flight store', () => {
  test('keeps sent messages in the order of sending, and counts their bytes', () => {
    const { store, send } = world();
    const messages = [send(9), send(3), send(7)];
    assert.deepEqual(
      store.entries().map(({ id, message, packet }) => [id, messages.indexOf(message), packet.cmd]),
      [
        [9, 0, 'publish'],
        [3, 1, 'publish'],
        [7, 2, 'publish'],
      ],
    );
    assert.deepEqual([store.size, store.bytes, store.has(3), store.has(4)], [3, 9, true, false]);
  });

  test('puts a PUBREL in the place of its PUBLISH and keeps both', () => {
    const { store, send } = world();
    send(1);
    send(2);
    store.put({ cmd: 'pubrel', messageId: 1 }, () => {});
    const [first] = store.entries();
    assert.deepEqual([first?.id, first?.packet.cmd, first?.publish.cmd], [1, 'pubrel', 'publish']);
    assert.equal(store.size, 2);
  });

  test('takes nothing that no message was tracked for', () => {
    const { store } = world();
    let called = 0;
    store.put(publish(1), () => {
      called += 1;
    });
    store.put({ cmd: 'pubrel', messageId: 2 }, () => {
      called += 1;
    });
    assert.deepEqual([store.size, called], [0, 2]);
  });

  test('forgets which message is being sent also when sending throws', () => {
    const { store } = world();
    const message = createMessage('t', 'x', { qos: 1 }, () => {}, 0);
    assert.throws(() => store.track(message, () => assert.fail('broken')), /broken/);
    store.put(publish(1), () => {});
    assert.equal(store.size, 0);
  });

  test('answers del and get as a store of MQTT.js does, and tells that an entry has left', () => {
    const { store, send, removedCount } = world();
    send(5);
    store.put({ cmd: 'pubrel', messageId: 5 }, () => {});
    const answers: unknown[] = [];
    const note = (error?: Error, packet?: Packet) => answers.push(error?.message ?? packet?.cmd);
    store.get({ messageId: 5 }, note);
    store.del({ messageId: 5 }, note);
    store.get({ messageId: 5 }, note);
    store.del({ messageId: 5 }, note);
    assert.deepEqual(answers, ['pubrel', 'publish', 'missing packet', 'missing packet']);
    assert.deepEqual([store.size, store.bytes, removedCount()], [0, 0, 1]);
  });

  test('hands an entry over once', () => {
    const { store, send, removedCount } = world();
    const message = send(5);
    assert.equal(store.take(5)?.message, message);
    assert.equal(store.take(5), undefined);
    assert.equal(removedCount(), 1);
  });

  test('tells the age of the oldest', () => {
    const { store, send } = world();
    assert.equal(store.oldestAgeMs(100), 0);
    send(1, 40);
    send(2, 90);
    assert.equal(store.oldestAgeMs(100), 60);
  });

  test('shows an empty stream whatever it holds, and outlives close', () => {
    const { store, send } = world();
    send(1);
    const stream = store.createStream();
    const log: string[] = [];
    stream.on('end', () => log.push('end'));
    assert.equal(stream.read(1), null);
    stream.once('readable', () => log.push('readable'));
    stream.destroy();
    assert.deepEqual(log, ['end']);
    store.close(() => log.push('closed'));
    assert.deepEqual([log, store.size], [['end', 'closed'], 1]);
  });
});
