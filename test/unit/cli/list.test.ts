// What a <list> may be: brokers strings, several URLs, named ones, and mixtures.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ParsedBrokers } from '../../../src/brokers/parsed.js';
import { readList } from '../../../src/cli/list.js';

const idsOf = (parsed: ParsedBrokers) =>
  parsed.kind === 'static' ? parsed.endpoints.map(({ id, url }) => `${id} ${url}`) : parsed.kind;

describe('readList', () => {
  const read = (text: string) => idsOf(readList(text, '<list>').parsed);

  it('reads a brokers string as connect does', () => {
    assert.deepEqual(read('mqtt://a,b:1884'), ['a:1883 mqtt://a:1883', 'b:1884 mqtt://b:1884']);
    assert.equal(read('mqtts+srv://example.com'), 'srv');
    assert.equal(read('registry+https://a,b/nodes.json'), 'registry');
  });

  it('reads id=url items', () => {
    assert.deepEqual(read('n1=mqtt://a, n2=wss://b/mqtt?x=mqtt'), [
      'n1 mqtt://a:1883',
      'n2 wss://b:443/mqtt',
    ]);
  });

  it('reads several URLs, named or not', () => {
    assert.deepEqual(read('mqtt://a,n2=mqtts://b'), ['a:1883 mqtt://a:1883', 'n2 mqtts://b:8883']);
  });

  it('takes an equals sign in a query for what it is', () => {
    assert.deepEqual(read('wss://b/mqtt?next=mqtt://c'), ['b:443 wss://b:443/mqtt']);
  });

  it('joins lists that are discovered with brokers that are written down', () => {
    const { parsed } = readList('registry+https://r/n.json,mqtts+srv://example.com,x=mqtts://a', '<list>');
    assert.ok(parsed.kind === 'composite');
    assert.equal(parsed.mode, 'union');
    assert.deepEqual(
      parsed.sources.map(({ kind }) => kind),
      ['static', 'registry', 'srv'],
    );
  });

  it('names where the list was typed when it is wrong', () => {
    assert.throws(() => readList('a=mqtt://h:0', '--from'), {
      name: 'UsageError',
      message: /^--from\[0\] must be/,
    });
  });
});
