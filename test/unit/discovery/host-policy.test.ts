/** Which hosts a source may name: the table of verdicts that MongoDB's driver specifications publish, and more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isUnder, matches } from '../../../src/discovery/host-policy.js';

describe('the parent-domain rule (R24)', () => {
  const verdicts: readonly [domain: string, host: string, under: boolean, why: string][] = [
    ['localhost', 'localhost.mongodb', false, 'another top-level name'],
    ['mongo.local', 'test_1.evil.local', false, 'two labels: the whole domain is needed'],
    ['blogs.mongodb.com', 'blogs.evil.com', false, 'another domain'],
    ['mongo.local', 'mongo.local', false, 'the domain itself has no label more'],
    ['mongo.local', 'test_1.my_hostmongo.local', false, 'ends alike, but not at a label'],
    ['blogs.mongodb.com', 'cluster.testmongodb.com', false, 'ends alike, but not at a label'],
    ['test18.test.build.10gen.cc', 'localhost.sub.test.build.10gen.cc', true, 'deeper is below, too'],
    ['test13.test.build.10gen.cc', 'test.build.10gen.cc', false, 'the parent itself is too short'],
    ['a.test.build.10gen.cc', 'localhost.build.10gen.cc', false, 'the first label of the parent is missing'],
    ['a.test.build.10gen.cc', 'localhost.evil.build.10gen.cc', false, 'the first label is another'],
    ['a.test.build.10gen.cc', 'localhost.test.evil.10gen.cc', false, 'the second label is another'],
    ['a.test.build.10gen.cc', 'localhost.test.build.evil.cc', false, 'the third label is another'],
    ['a.test.build.10gen.cc', 'localhost.test.build.10gen.evil', false, 'the last label is another'],
    ['a.test.build.10gen.cc', 'localhost.test.build.10gen.cc', true, 'the parent itself, one label more'],
    ['localhost', 'test_1.cluster_1localhost', false, 'one label: ends alike, but not at a label'],
    ['localhost', 'localhost', false, 'one label: below it only'],
    ['localhost', 'a.localhost', true, 'one label, one more'],
    ['mongo.local', 'a.mongo.local', true, 'two labels, one more'],
    ['eu.example.com', 'broker.example.com', true, 'three labels: a sister'],
    ['EU.Example.COM.', 'Broker.EXAMPLE.com.', true, 'letter case and trailing dots do not count'],
    ['eu.example.com', 'example.com.evil.net', false, 'the domain in the middle'],
    ['', 'a.com', false, 'no domain'],
  ];
  for (const [domain, host, under, why] of verdicts) {
    test(`${host} is ${under ? '' : 'not '}under ${domain || 'nothing'}: ${why}`, () => {
      assert.equal(isUnder(domain, host), under);
    });
  }
});

describe('allowedHosts (R25)', () => {
  const list = ['broker.example.net', '*.example.org'];
  for (const [host, allowed] of [
    ['broker.example.net', true],
    ['BROKER.example.net.', true],
    ['a.broker.example.net', false],
    ['example.net', false],
    ['a.example.org', true],
    ['a.b.example.org', true],
    ['example.org', false],
    ['badexample.org', false],
    ['a.example.org.evil.net', false],
    ['', false],
  ] as const) {
    test(`${allowed ? 'lets' : 'does not let'} ${host || 'an empty name'} pass`, () => {
      assert.equal(matches(list, host), allowed);
    });
  }
});
