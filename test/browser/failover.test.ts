// The built browser bundle in a real page: the same choice as in Node, and fail-over over WebSockets.
// World: headless Chromium with dist/mqtt-failover.min.js, three aedes brokers with WebSocket listeners. Fake: nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { rank } from '../../src/index.js';
import { aedesCluster } from '../support/aedes-cluster.js';
import { srv } from '../support/dns-messages.js';
import { dohServer } from '../support/doh-server.js';
import { until } from '../support/events.js';
import { browserPage } from '../support/page.js';
import { RegistryServer } from '../support/registry-server.js';

/** What the page has: the bundle's global, and what a test leaves there between two calls. */
interface PageWindow {
  readonly mqttFailover: typeof import('../../src/browser.js');
  client: import('../../src/browser.js').FailoverClient;
  settled: string[];
  failovers: { readonly offlineMs: number }[];
  messages: string[];
}
declare const window: PageWindow;

/** The orders that every runtime must give; Node's are tested against them in `rank.test.ts`. */
const published = JSON.parse(readFileSync(new URL('../vectors/rank.json', import.meta.url), 'utf8')) as {
  readonly endpoints: string[];
  readonly vectors: { readonly clientId: string; readonly order: string[] }[];
};

describe('the bundle in Chromium', () => {
  it('gives the published ranks', async () => {
    await using opened = await browserPage();
    const { endpoints, vectors } = published;
    const inPage = await opened.page.evaluate(
      ([list, keys]) =>
        keys.map((clientId) => {
          const ranked = window.mqttFailover.rank(clientId, list);
          return { clientId, order: ranked.map(({ id }) => id) };
        }),
      [endpoints.map((id) => ({ id })), vectors.map(({ clientId }) => clientId)] as const,
    );
    assert.deepEqual(
      inPage,
      vectors.map(({ clientId, order }) => ({ clientId, order })),
    );
    assert.ok(inPage.length > 0);
  });

  it('ranks by weight as Node does', async () => {
    await using opened = await browserPage();
    const ids = ['device-0', 'sensor/α', '🚰', 'a'.repeat(23)];
    const endpoints = ['n1', 'n2', 'n3', 'n4', 'n5'].map((id, i) => ({ id, weight: 1 + (i % 2) }));
    const inPage = await opened.page.evaluate(
      ([keys, list]) => keys.map((key) => window.mqttFailover.rank(key, list).map(({ id }) => id)),
      [ids, endpoints] as const,
    );
    assert.deepEqual(
      inPage,
      ids.map((key) => rank(key, endpoints).map(({ id }) => id)),
    );
    assert.deepEqual(opened.errors, []);
  });

  it('fails over within half a second when its broker dies, keeps subscriptions, and loses nothing at QoS 1', async (t) => {
    await using cluster = await aedesCluster(3);
    await using opened = await browserPage();
    const { page } = opened;
    const first = await page.evaluate(async (urls) => {
      const client = await window.mqttFailover.connectAsync(urls, { clientId: 'page-1' });
      window.client = client;
      window.settled = [];
      window.failovers = [];
      window.messages = [];
      client.on('failover', (event) => window.failovers.push(event));
      client.on('message', (topic, payload) => window.messages.push(`${topic} ${payload}`));
      await client.subscribeAsync('cmd/#', { qos: 1 });
      return client.status();
    }, cluster.wsUrls);
    assert.equal(first.state, 'connected');
    const onFirst = cluster.brokers.find(({ wsPort }) => first.current === `127.0.0.1:${wsPort}`);
    await page.evaluate(() => {
      let n = 0;
      const timer = setInterval(() => {
        const reading = `${n}`;
        n += 1;
        if (n === 40) clearInterval(timer);
        window.client.publish('readings/a', reading, { qos: 1 }, (error) =>
          window.settled.push(error ? `${reading} ${error.message}` : reading),
        );
      }, 10);
    });
    await until(() => cluster.publishes.length > 5, { what: 'the first readings' });
    await onFirst?.kill();
    await page.waitForFunction(() => window.settled.length === 40);
    const arrived = new Set(cluster.publishes.map(({ payload }) => payload));
    const settled = await page.evaluate(() => window.settled);
    assert.deepEqual(
      settled.filter((entry) => entry.includes(' ')),
      [],
    );
    assert.deepEqual(
      settled.filter((reading) => !arrived.has(reading)),
      [],
    );
    const [now, failovers] = await page.evaluate(() => [window.client.status(), window.failovers] as const);
    assert.equal(failovers.length, 1);
    const offlineMs = failovers[0]?.offlineMs ?? Number.POSITIVE_INFINITY;
    t.diagnostic(`offline for ${Math.round(offlineMs)} ms`);
    assert.ok(offlineMs <= 2_000, `${offlineMs} ms`);
    assert.notEqual(now.current, first.current);
    const next = cluster.brokers.find(({ wsPort }) => now.current === `127.0.0.1:${wsPort}`);
    next?.publish('cmd/go', 'now', { qos: 1 });
    await page.waitForFunction(() => window.messages.includes('cmd/go now'));
    await page.evaluate(() => window.client.endAsync());
    assert.deepEqual(opened.errors, []);
  });

  it('finds its brokers by SRV records over HTTPS, and says what it needs without them', async () => {
    await using cluster = await aedesCluster(1);
    const name = '_mqtt-ws._tcp.example.test';
    const port = cluster.at(0)?.wsPort ?? 0;
    await using server = await dohServer(() => ({ answers: [srv(name, 'localhost', { port })] }));
    await using opened = await browserPage();
    const [current, needs, cors] = await opened.page.evaluate(
      async ([doh, withoutCors]) => {
        const { connect, connectAsync } = window.mqttFailover;
        const url = 'ws+srv://example.test/?srv=mqtt-ws';
        const allowedHosts = ['localhost'];
        const client = await connectAsync(url, {
          clientId: 'page-4',
          discovery: { dns: { doh }, allowedHosts },
        });
        const { current: on } = client.status();
        await client.endAsync();
        let refusal = 'no error';
        try {
          connect(url, { clientId: 'page-5' });
        } catch (error) {
          refusal = (error as Error).message;
        }
        const blocked = await connectAsync(url, {
          clientId: 'page-6',
          discovery: { dns: { doh: withoutCors }, allowedHosts, lastKnownGood: false },
        }).then(
          () => 'no error',
          (error: Error) => error.message,
        );
        return [on, refusal, blocked] as const;
      },
      [server.url, server.urlWithoutCors] as const,
    );
    assert.equal(current, `localhost:${port}`);
    assert.match(needs, /^Option `discovery\.dns\.doh` must be given/);
    assert.match(cors, /doh-cors-or-network/);
    // A GET without a header that needs permission: no preflight (R36).
    assert.deepEqual(new Set(server.methods), new Set(['GET']));
    assert.deepEqual(opened.errors, []);
  });

  it('boots with the last good list while its registry is down', async () => {
    await using cluster = await aedesCluster(1);
    const port = cluster.at(0)?.wsPort ?? 0;
    const document = {
      schema: 'mqtt-nodes/1',
      nodes: [{ id: 'n1', urls: [`ws://127.0.0.1:${port}`] }],
    };
    const registry = await RegistryServer.open(document);
    registry.headers['access-control-allow-origin'] = '*';
    await using opened = await browserPage();
    const boot = (url: string) =>
      opened.page.evaluate(async (brokers) => {
        const client = await window.mqttFailover.connectAsync(brokers, { clientId: 'page-7' });
        const { current, discovery } = client.status();
        await client.endAsync();
        return [current, discovery.source];
      }, url);
    assert.deepEqual(await boot(registry.url), ['n1', 'registry']);
    await registry[Symbol.asyncDispose]();
    assert.deepEqual(await boot(registry.url), ['n1', 'last-known-good']);
  });

  it('skips endpoints that a page cannot dial, and refuses a list of nothing else', async () => {
    await using cluster = await aedesCluster(1);
    await using opened = await browserPage();
    const [status, message] = await opened.page.evaluate(async (wsUrl) => {
      const { connect, connectAsync } = window.mqttFailover;
      const client = await connectAsync(['mqtt://127.0.0.1:1883', wsUrl as string], { clientId: 'page-2' });
      const seen = client.status();
      await client.endAsync();
      try {
        connect(['mqtt://127.0.0.1:1883', 'mqtts://127.0.0.1:8883'], { clientId: 'page-3' });
        return [seen, 'no error'] as const;
      } catch (error) {
        return [seen, (error as Error).message] as const;
      }
    }, cluster.wsUrls[0]);
    const unusable = status.endpoints.find(({ id }) => id === '127.0.0.1:1883');
    assert.equal(unusable?.state, 'unusable');
    assert.match(unusable?.reason ?? '', /cannot dial mqtt:/);
    assert.match(message, /`brokers`.*\(ws, wss\)/);
  });
});
