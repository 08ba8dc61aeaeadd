/**
 * The same client over WebSocket, alone and mixed with TCP.
 *
 * The world: scripted and real brokers (aedes) with a WebSocket port, a plain HTTP server that knows no upgrade, and a
 * proxy in between that breaks the line.
 */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { FailoverError } from '../../src/index.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { blackhole } from '../support/blackhole.js';
import { collect, once, until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client, payloads, twice } from './world.js';

const V4 = { protocolVersion: 4 } as const;
const webSocketBroker = () => scriptedBroker(undefined, { ws: true });

/** An HTTP server that answers everything, upgrades included, with `status` and `headers`. */
async function httpServer(status: number, headers = '') {
  const server = createServer((_request, response) => response.writeHead(status).end());
  server.on('upgrade', (_request, socket) =>
    socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n${headers}\r\n`),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `ws://127.0.0.1:${port}/mqtt`, id: `127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

describe('WebSocket', () => {
  test('fails over between brokers, with what is queued and subscribed', async () => {
    await using cluster = await aedesCluster(3);
    await using subject = client(cluster.wsUrls, { ...V4, clientId: 'ws' });
    await subject.subscribeAsync('in', { qos: 1 });
    await subject.publishAsync('t', 'one', { qos: 1 });
    await cluster.at(0).kill();
    const sent = subject.publishAsync('t', 'two', { qos: 1 });
    await sent;
    assert.deepEqual(cluster.holding('ws'), [cluster.at(1)]);
    assert.deepEqual([...cluster.at(1).subscribedTopics('ws').keys()], ['in']);
    assert.deepEqual(
      cluster.publishes.map(({ payload }) => payload),
      ['one', 'two'],
    );
  });

  test('and TCP serve one list', async () => {
    await using cluster = await aedesCluster(2);
    await using subject = client([cluster.at(0).wsUrl, cluster.at(1).url], { ...V4, clientId: 'mixed' });
    await once(subject, 'connect');
    await cluster.at(0).kill();
    await once(subject, 'connect');
    assert.equal(subject.status().current, `127.0.0.1:${cluster.at(1).port}`);
  });

  test('is upgraded at the path and with the query of the endpoint, and subprotocol mqtt', async () => {
    const requests: IncomingMessage[] = [];
    const server = createServer();
    new WebSocketServer({ server, handleProtocols: () => 'mqtt' }).on('connection', (_socket, request) =>
      requests.push(request),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `ws://127.0.0.1:${port}/deep/path?token=canary`;
    const subject = client([url], { wsOptions: { headers: { 'x-test': 'yes' } } });
    await until(() => requests.length === 1);
    const [request] = requests;
    assert.equal(request?.url, '/deep/path?token=canary');
    assert.equal(request?.headers['sec-websocket-protocol'], 'mqtt');
    assert.equal(request?.headers['x-test'], 'yes');
    assert.equal(request?.headers.host, `127.0.0.1:${port}`);
    assert.doesNotMatch(JSON.stringify(subject.status()), /canary/);
    await subject.endAsync(true);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test('calls transformWsUrl for every attempt, with the URL of that endpoint', async () => {
    await using broker = await webSocketBroker();
    const urls: string[] = [];
    const brokers = twice(broker).map((each) => ({ ...each, url: `${each.url}/${each.id}` }));
    await using subject = client(brokers, {
      transformWsUrl: (url, options, given) => {
        assert.equal(given, subject);
        assert.equal(typeof options, 'object');
        urls.push(url);
        return `${url}?fresh=${urls.length}`;
      },
    });
    await once(subject, 'connect');
    broker.latest.reset();
    await once(subject, 'connect');
    assert.deepEqual(urls, [`${broker.url}/front`, `${broker.url}/back`]);
  });

  test('uses the socket that createWebsocket makes', async () => {
    await using broker = await webSocketBroker();
    const made: string[] = [];
    await using subject = client(twice(broker), {
      createWebsocket: (url, protocols, options) => {
        made.push(url);
        return new WebSocket(url, protocols, options.wsOptions as object);
      },
    });
    await once(subject, 'connect');
    assert.deepEqual(made, [`${broker.url}/`]);
  });

  for (const status of [404, 429, 503]) {
    test(`passes over an endpoint that answers the upgrade with HTTP status ${status}`, async () => {
      await using bad = await httpServer(status);
      await using good = await webSocketBroker();
      await using subject = client([bad.url, good.url]);
      const errors = collect(subject, 'error');
      await once(subject, 'connect');
      assert.match(subject.status().endpoints[0]?.reason ?? '', new RegExp(`${status}`));
      assert.deepEqual(errors, []);
    });
  }

  for (const [retryAfter, seconds] of [
    ['120', 120],
    ['999999', 3_600],
  ] as const) {
    test(`leaves an endpoint alone that answers 503 with Retry-After: ${retryAfter}`, async () => {
      await using bad = await httpServer(503, `Retry-After: ${retryAfter}\r\n`);
      await using good = await webSocketBroker();
      await using subject = client([bad.url, good.url]);
      const [{ state, until: at }] = await once<[{ state: string; until: number }]>(subject, 'health');
      const left = (at - Date.now()) / 1_000;
      assert.equal(state, 'ejected');
      assert.ok(left > seconds - 10 && left <= seconds + 1, `${left} s`);
    });
  }

  test('passes over an endpoint that opens TCP and never answers the upgrade', async () => {
    await using proxy = await faultProxy(1);
    proxy.set({ silent: true });
    await using good = await webSocketBroker();
    await using subject = client([`${proxy.wsUrl}/mqtt`, good.url], {
      dial: { transportTimeoutMs: 200, race: 1 },
    });
    await once(subject, 'connect');
    assert.match(subject.status().endpoints[0]?.reason ?? '', /within 200 ms/);
  });

  test('passes over a black hole after one stagger', async () => {
    await using hole = await blackhole();
    await using good = await webSocketBroker();
    await using subject = client([`ws://127.0.0.1:${hole.port}/mqtt`, good.url], { dial: { staggerMs: 30 } });
    await once(subject, 'connect', 2_000);
  });

  test('fails over when the line is reset', async () => {
    await using first = await webSocketBroker();
    await using second = await webSocketBroker();
    await using proxy = await faultProxy(first.port);
    await using subject = client([proxy.wsUrl, second.url]);
    await once(subject, 'connect');
    proxy.rst();
    await once(subject, 'failover');
    assert.equal(subject.status().current, `127.0.0.1:${second.port}`);
  });

  test('ends politely: DISCONNECT arrives, and the socket is closed', async () => {
    await using broker = await webSocketBroker();
    const subject = client(twice(broker));
    await subject.publishAsync('t', 'last', { qos: 1 });
    await subject.endAsync();
    await broker.waitFor('disconnect');
    await broker.latest.closed;
    assert.deepEqual(payloads(broker), ['last']);
  });

  test('names each endpoint without its query when all fail', async () => {
    await using bad = await httpServer(503);
    await using subject = client([`${bad.url}?token=canary`, 'ws://user:canary@127.0.0.1:1/x?token=canary']);
    const [error] = await once<[FailoverError]>(subject, 'error');
    assert.ok(error instanceof FailoverError);
    const { errors } = error.cause as AggregateError & { errors: FailoverError[] };
    assert.deepEqual(
      errors.map(({ endpoint }) => endpoint),
      [bad.id, '127.0.0.1:1'],
    );
    const told = [error, ...errors, ...errors.map(({ cause }) => cause)].map(
      (each) => `${each} ${(each as Error)?.stack}`,
    );
    assert.doesNotMatch(told.join(), /canary/);
  });
});
