/** Which endpoints an https page may not dial (R188). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBrokers } from '../../../src/brokers/parse.js';
import { isMixedContent } from '../../../src/dial/mixed-content.js';
import type { Endpoint } from '../../../src/endpoint.js';

function endpointOf(url: string): Endpoint {
  const parsed = parseBrokers(url);
  assert.equal(parsed.kind, 'static');
  return (parsed as { endpoints: readonly Endpoint[] }).endpoints[0]!;
}

for (const [url, refused] of [
  ['ws://broker.example', true],
  ['ws://10.0.0.1', true],
  ['ws://localhost.example', true],
  ['ws://127.0.0.1.example', true],
  ['wss://broker.example', false],
  ['ws://localhost:9001', false],
  ['ws://mqtt.localhost', false],
  ['ws://127.0.0.1', false],
  ['ws://[::1]:9001', false],
] as const) {
  test(`${url} is ${refused ? '' : 'not '}refused in a page that came over https`, () => {
    assert.equal(isMixedContent(endpointOf(url), { isSecure: true }), refused);
    assert.equal(isMixedContent(endpointOf(url), { isSecure: false }), false);
    assert.equal(isMixedContent(endpointOf(url), undefined), false);
  });
}
