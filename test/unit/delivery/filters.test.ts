/** Which topics a filter covers (MQTT 5.0 §4.7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { covers } from '../../../src/delivery/filters.js';

for (const [filter, yes, no] of [
  ['a/b', ['a/b'], ['a', 'a/b/c', 'A/b', 'a/b/']],
  ['a/+', ['a/b', 'a/'], ['a', 'a/b/c']],
  ['+', ['a', ''], ['a/b', '$SYS', '/a']],
  ['+/+', ['a/b', '/a'], ['a', '$SYS/b']],
  ['#', ['a', 'a/b', ''], ['$SYS/uptime', '$x']],
  ['a/#', ['a', 'a/b', 'a/b/c'], ['b', 'ab']],
  ['$SYS/#', ['$SYS', '$SYS/uptime'], ['SYS']],
  ['a/+/#', ['a/b', 'a/b/c'], ['a']],
  ['$share/g/a/+', ['a/b'], ['g/a/b', 'a']],
] as const) {
  test(`${filter} covers ${yes.join(', ')} and not ${no.join(', ')}`, () => {
    for (const topic of yes) assert.equal(covers(filter, topic), true, topic);
    for (const topic of no) assert.equal(covers(filter, topic), false, topic);
  });
}
