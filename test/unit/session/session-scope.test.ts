/** What a change of endpoint costs: whether the session comes along, is thrown away over there, or forbids to leave. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { ConnectOptions } from '../../../src/session/connect-options.js';
import { SessionScope, type SessionsMode } from '../../../src/session/session-scope.js';
import { endpoint } from '../fakes/fake-network.js';

/** A scope that saw the links `a`, `b!`, …; `!` stands for Session Present. */
function scopeAfter(mode: SessionsMode, links: string): SessionScope {
  const scope = new SessionScope(mode);
  for (const link of links.split(' ').filter(Boolean)) scope.linked(link[0]!, link.endsWith('!'));
  return scope;
}

describe('sessions', () => {
  test('are shared or not as the option says, whatever the brokers say', () => {
    for (const links of ['', 'a', 'a b', 'a b!']) {
      assert.equal(scopeAfter('shared', links).shared, true, links);
      assert.equal(scopeAfter('local', links).shared, false, links);
    }
  });

  test('are learned to be shared when another endpoint resumes one (R107)', () => {
    const cases: [string, boolean][] = [
      ['', false],
      ['a!', false],
      ['a a!', false],
      ['a b', false],
      ['a b b!', false],
      ['a b!', true],
      ['a! b a!', true],
      ['a b! c', true],
    ];
    for (const [links, shared] of cases) assert.equal(scopeAfter('auto', links).shared, shared, links);
  });
});

describe('the session on another endpoint', () => {
  test('is stale, and discarded, where sessions are local', () => {
    const cases: [string, string, boolean][] = [
      ['', 'a', false],
      ['a', 'a', false],
      ['a', 'b', true],
      ['a b', 'a', true],
      ['a b', 'b', false],
    ];
    for (const [links, to, clean] of cases)
      assert.equal(scopeAfter('local', links).cleanStart(to), clean, `${links} → ${to}`);
  });

  test('is kept where sessions are shared, or may be', () => {
    for (const mode of ['shared', 'auto'] as const)
      for (const links of ['', 'a', 'a b', 'a b!'])
        for (const to of ['a', 'b']) assert.equal(scopeAfter(mode, links).cleanStart(to), false);
  });
});

describe('a client', () => {
  const ephemeral: IClientOptions[] = [
    { clean: true },
    { clean: true, protocolVersion: 5 },
    { clean: false, protocolVersion: 5 },
    { clean: false, protocolVersion: 5, properties: {} },
    { clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 0 } },
  ];
  const persistent: IClientOptions[] = [
    { clean: false },
    { clean: false, protocolVersion: 4 },
    { clean: false, protocolVersion: 3 },
    { clean: false, protocolVersion: 4, properties: { sessionExpiryInterval: 0 } },
    { clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 60 } },
  ];

  test('without a session that outlives the connection may leave in every mode', () => {
    for (const mode of ['auto', 'local', 'shared'] as const)
      for (const options of ephemeral)
        assert.equal(scopeAfter(mode, 'a').mayLeave(options), true, JSON.stringify(options));
  });

  test('with a lasting session stays, unless the session comes along', () => {
    for (const options of persistent) {
      const text = JSON.stringify(options);
      assert.equal(scopeAfter('local', 'a b!').mayLeave(options), false, text);
      assert.equal(scopeAfter('auto', 'a b').mayLeave(options), false, text);
      assert.equal(scopeAfter('auto', 'a b!').mayLeave(options), true, text);
      assert.equal(scopeAfter('shared', '').mayLeave(options), true, text);
    }
  });

  const v5 = (): IClientOptions => ({
    clean: false,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 3600 },
  });

  test('starts clean on a change of endpoint with v5 only', () => {
    for (const [options, clean] of [
      [v5(), true],
      [{ clean: false, protocolVersion: 4 } as IClientOptions, false],
    ] as const) {
      const connect = new ConnectOptions({ options, client: {} as never }, scopeAfter('local', 'a'));
      connect.apply({ endpoint: endpoint('b'), options: {} });
      assert.equal(options.clean, clean);
    }
  });

  test('that started clean for the change of endpoint alone has a lasting session there, and stays', () => {
    const connect = new ConnectOptions({ options: v5(), client: {} as never }, scopeAfter('local', 'a'));
    connect.apply({ endpoint: endpoint('b'), options: {} });
    connect.linked('b', false);
    assert.equal(connect.mayLeave(), false);
  });
});
