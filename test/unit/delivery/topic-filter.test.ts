/** Which topics a filter takes, by the examples of the standard [MQTT 5.0 §4.7]. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takes } from '../../../src/delivery/topic-filter.js';

for (const [filter, topics, others] of [
  ['a/b', ['a/b'], ['a', 'a/b/c', 'A/b', 'a/']],
  ['a/+', ['a/b', 'a/'], ['a', 'a/b/c']],
  ['+/+', ['a/b', '/b'], ['a', '$SYS/b']],
  ['a/#', ['a', 'a/b', 'a/b/c', 'a/'], ['b', 'ab']],
  ['#', ['a', 'a/b', '/'], ['$SYS', '$SYS/x']],
  ['$SYS/#', ['$SYS', '$SYS/x'], ['SYS/x']],
  ['$share/g/a/+', ['a/b'], ['$share/g/a/b', 'a']],
  ['+', ['a'], ['/a', '']],
  ['/+', ['/a'], ['a', '/a/b']],
] as const) {
  test(`${filter} takes ${topics.join(', ')}`, () => {
    assert.deepEqual(
      topics.filter((topic) => !takes(filter, topic)),
      [],
    );
    assert.deepEqual(
      others.filter((topic) => topic !== '' && takes(filter, topic)),
      [],
    );
  });
}
