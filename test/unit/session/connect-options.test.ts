/** One set of live options, many endpoints: what is theirs is laid over for an attempt and taken off for the next. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import type { Endpoint } from '../../../src/endpoint.js';
import { endpoint } from '../fakes/fake-network.js';
import { connectOptionsOf } from '../fakes/parts.js';

function world(options: IClientOptions) {
  const client = { name: 'client' } as never;
  const connect = connectOptionsOf({ options, client });
  const apply = (to: Endpoint, overlay: Partial<IClientOptions> = {}) =>
    connect.apply({ endpoint: to, options: {}, overlay });
  return { live: options, client, connect, apply };
}

const own = endpoint('own', {
  scheme: 'mqtts',
  options: { username: 'own', password: 'secret', clean: false, keepalive: 0, ca: 'pem' },
});
const plain = endpoint('plain');

describe('connect options', () => {
  test("lays the endpoint's CONNECT fields over the live options, and where it leads", () => {
    const { live, apply } = world({ clientId: 'c', username: 'base', clean: true });
    apply(own);
    const { clientId, username, password, clean, keepalive, protocol, host, hostname, port } =
      live as IClientOptions & {
        hostname: string;
      };
    assert.deepEqual(
      { clientId, username, password, clean, keepalive, protocol, host, hostname, port },
      {
        clientId: 'c',
        username: 'own',
        password: 'secret',
        clean: false,
        keepalive: 0,
        protocol: 'mqtts',
        host: 'own.test',
        hostname: 'own.test',
        port: 8883,
      },
    );
    assert.equal(live.ca, undefined);
  });

  test('takes them off for the next endpoint', () => {
    const { live, apply } = world({ username: 'base', clean: true });
    apply(own);
    apply(plain);
    const { username, password, clean, keepalive, host } = live;
    assert.deepEqual(
      { username, password, clean, keepalive, host },
      { username: 'base', password: undefined, clean: true, keepalive: undefined, host: 'plain.test' },
    );
  });

  test('keeps the same live object, which applications hold', () => {
    const { live, connect, apply } = world({});
    const { options } = connect.target(own);
    assert.notEqual(options, live);
    apply(own);
    assert.equal(live.username, 'own');
  });

  test("dials with the client's options and the endpoint's over them, whichever endpoint is applied", () => {
    const { connect, apply } = world({ username: 'base', rejectUnauthorized: false });
    apply(own);
    const toPlain = connect.target(plain);
    assert.equal(toPlain.endpoint, plain);
    assert.deepEqual(
      [toPlain.options.username, toPlain.options.password, toPlain.options.rejectUnauthorized],
      ['base', undefined, false],
    );
    const toOwn = connect.target(own);
    assert.deepEqual([toOwn.options.username, toOwn.options.ca], ['own', 'pem']);
    assert.notEqual(connect.target(own).options, toOwn.options);
  });

  test('honours what the application writes into the live options between attempts', () => {
    const { live, apply } = world({ username: 'base', password: 'old' });
    apply(plain);
    live.password = 'new';
    live.keepalive = 7;
    apply(plain);
    assert.deepEqual([live.password, live.keepalive], ['new', 7]);
    apply(own);
    apply(plain);
    assert.deepEqual([live.password, live.keepalive], ['new', 7]);
  });

  test('takes a value written while another endpoint is applied as the new one for all', () => {
    const { live, connect, apply } = world({ username: 'base', password: 'old' });
    apply(own);
    live.password = 'fresh token';
    assert.equal(connect.target(plain).options.password, 'fresh token');
    apply(plain);
    assert.deepEqual([live.username, live.password], ['base', 'fresh token']);
    apply(own);
    assert.deepEqual([live.username, live.password], ['own', 'secret']);
  });

  test('honours a change made before the first attempt, and one that deletes', () => {
    const { live, connect, apply } = world({ username: 'base' });
    live.username = 'early';
    apply(plain);
    assert.equal(live.username, 'early');
    delete live.username;
    apply(plain);
    assert.equal(live.username, undefined);
    assert.equal(connect.target(plain).options.username, undefined);
  });

  test('lays what was made for one attempt over both, and takes it off for the next', () => {
    const { live, apply } = world({ username: 'base', password: 'base' });
    apply(own, { password: 'fresh' });
    assert.deepEqual([live.username, live.password], ['own', 'fresh']);
    apply(own);
    assert.deepEqual([live.username, live.password], ['own', 'secret']);
    apply(plain);
    assert.deepEqual([live.username, live.password], ['base', 'base']);
  });

  test('gives transformWsUrl the client, as MQTT.js does', () => {
    const calls: unknown[][] = [];
    const transformWsUrl = (...args: unknown[]) => {
      calls.push(args);
      return 'ws://signed';
    };
    const { client, connect } = world({ transformWsUrl } as IClientOptions);
    const { options } = connect.target(plain);
    assert.equal(options.transformWsUrl?.('ws://x', options, undefined as never), 'ws://signed');
    assert.deepEqual(calls, [['ws://x', options, client]]);
  });
});
