/** The subscription that is discovery's own: made on every link, refused aloud, and kept from the application. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopologyTopic } from '../../../src/discovery/topology-topic.js';

function world(wanted: readonly string[] = []) {
  const subscribed: unknown[] = [];
  let answer: (error: Error | null, granted?: unknown, packet?: unknown) => void = () => {};
  const seen: string[] = [];
  const topic = new TopologyTopic({
    topic: 'cluster/topology',
    core: {
      subscribe: (topics, _options, callback) => {
        subscribed.push(topics);
        answer = callback as typeof answer;
      },
    },
    overlay: {
      received: async (payload) => void seen.push(Buffer.from(payload).toString()),
      refused: (error) => void seen.push(`refused: ${error.message}`),
    },
    isWanted: (name) => wanted.includes(name),
  });
  return { topic, subscribed, seen, answer: (...args: Parameters<typeof answer>) => answer(...args) };
}

test('subscribes on every link with QoS 1', () => {
  const { topic, subscribed } = world();
  topic.linkUp();
  topic.linkDown();
  topic.linkUp();
  assert.deepEqual(subscribed, [{ 'cluster/topology': { qos: 1 } }, { 'cluster/topology': { qos: 1 } }]);
});

test('tells of a refusal, and says nothing of a link that ended before the answer', () => {
  const { topic, seen, answer } = world();
  topic.linkUp();
  answer(new Error('Connection closed'));
  answer(null, [], {});
  assert.deepEqual(seen, []);
  answer(new Error('Subscribe error: Not authorized'), [], {});
  assert.deepEqual(seen, ['refused: Subscribe error: Not authorized']);
});

test('takes its own messages alone, and leaves them to an application that wants them', () => {
  const { topic, seen } = world();
  assert.equal(topic.received('readings', Buffer.from('1')), false);
  assert.equal(topic.received('cluster/topology', Buffer.from('{}')), true);
  assert.equal(world(['cluster/topology']).topic.received('cluster/topology', Buffer.from('{}')), false);
  assert.deepEqual(seen, ['{}']);
});
