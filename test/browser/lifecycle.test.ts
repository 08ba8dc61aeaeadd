// A page's life and its connection: no network, a hung broker, sleep, reload, a page that is duplicated.
// World: headless Chromium with dist/mqtt-failover.min.js, aedes brokers with WebSocket listeners, one behind a proxy
// that can go silent. Fake: nothing; the browser is taken offline and frozen as its developer tools do it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { aedesBroker, aedesCluster } from '../support/aedes-cluster.js';
import { until } from '../support/events.js';
import { faultProxy } from '../support/fault-proxy.js';
import { browserPage, freeze } from '../support/page.js';

interface PageWindow {
  readonly mqttFailover: typeof import('../../src/browser.js');
  client: import('../../src/browser.js').FailoverClient;
  states: string[];
  settled: number;
  failures: string[];
}
declare const window: PageWindow;

/** Connects in the page, to brokers in this order, and notes states and settled publishes. */
async function connectIn(page: Page, urls: readonly string[], options: object = {}) {
  return page.evaluate(
    async ([list, given]) => {
      window.states = [];
      window.settled = 0;
      window.failures = [];
      const client = window.mqttFailover.connect(list, {
        selection: 'ordered',
        protocolVersion: 4,
        ...given,
      });
      client.on('state', ({ to }) => window.states.push(to));
      window.client = client;
      await new Promise((resolve) => client.once('connect', resolve));
      return client.status();
    },
    [urls, options] as const,
  );
}

/** Publishes at QoS 1, one each `everyMs`, until `count` are out. */
function publishIn(page: Page, from: number, count: number, everyMs: number): Promise<void> {
  return page.evaluate(
    ([first, n, ms]) => {
      let next = first;
      const timer = setInterval(() => {
        if (next === first + n - 1) clearInterval(timer);
        window.client.publish('readings', `${next}`, { qos: 1 }, (error) => {
          window.settled += 1;
          if (error) window.failures.push(error.message);
        });
        next += 1;
      }, ms);
    },
    [from, count, everyMs] as const,
  );
}

describe('a page', { timeout: 120_000 }, () => {
  it('leaves a broker that hangs under traffic in seconds', async (t) => {
    await using cluster = await aedesCluster(2);
    await using proxy = await faultProxy(cluster.at(0)?.wsPort ?? 0);
    await using opened = await browserPage();
    const { page } = opened;
    await connectIn(page, [proxy.wsUrl, cluster.wsUrls[1] as string], { clientId: 'hang' });
    await publishIn(page, 0, 60, 50);
    await until(() => cluster.publishes.length > 5, { what: 'the first readings' });
    const offline = page.evaluate(
      () =>
        new Promise<number>((resolve) => window.client.once('failover', () => resolve(performance.now()))),
    );
    const hungAt = await page.evaluate(() => performance.now());
    proxy.set({ drop: true });
    const tookMs = (await offline) - hungAt;
    t.diagnostic(`left ${Math.round(tookMs)} ms after it hung`);
    // About two; a busy machine adds what it likes, and keepalive would take 75.
    assert.ok(tookMs <= 15_000, `${Math.round(tookMs)} ms`);
    await page.waitForFunction(() => window.settled === 60);
    assert.deepEqual(await page.evaluate(() => window.failures), []);
    const arrived = new Set(cluster.publishes.map(({ payload }) => payload));
    assert.equal(arrived.size, 60);
    await page.evaluate(() => window.client.endAsync(true));
    assert.deepEqual(opened.errors, []);
  });

  it('loses none of 1000 publishes over ten times offline and online', async (t) => {
    await using cluster = await aedesCluster(2);
    await using opened = await browserPage();
    const { page } = opened;
    await connectIn(page, cluster.wsUrls, { clientId: 'train' });
    await publishIn(page, 0, 1_000, 8);
    for (let tunnel = 0; tunnel < 10; tunnel += 1) {
      await page.context().setOffline(true);
      // A real network takes the connections with it.
      for (const broker of cluster.brokers) broker.disconnect('train');
      await page.waitForFunction(() => ['paused', 'connecting'].includes(window.client.status().state));
      await page.context().setOffline(false);
      const backAt = await page.evaluate(() => performance.now());
      await page.waitForFunction(() => window.client.status().state === 'connected');
      const tookMs = (await page.evaluate(() => performance.now())) - backAt;
      t.diagnostic(`connected ${Math.round(tookMs)} ms after the network came back`);
    }
    await page.waitForFunction(() => window.settled === 1_000);
    assert.deepEqual(await page.evaluate(() => window.failures), []);
    assert.equal(new Set(cluster.publishes.map(({ payload }) => payload)).size, 1_000);
    assert.ok((await page.evaluate(() => window.states)).includes('paused'));
    await page.evaluate(() => window.client.endAsync(true));
    assert.deepEqual(opened.errors, []);
  });

  it('goes on when it is thawed: the broker that kept its link has it, one that went away is left', async () => {
    await using cluster = await aedesCluster(2);
    await using opened = await browserPage();
    const { page } = opened;
    const { current } = await connectIn(page, cluster.wsUrls, { clientId: 'sleeper' });
    const thaw = await freeze(page);
    // Longer than an idle ping, or one under traffic, may take.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    await thaw();
    await page.evaluate(() => window.client.publishAsync('readings', 'awake', { qos: 1 }));
    assert.equal(await page.evaluate(() => window.client.status().current), current);
    assert.deepEqual(await page.evaluate(() => window.states), ['discovering', 'connecting', 'connected']);
    const thawAgain = await freeze(page);
    await cluster.at(0)?.kill();
    await thawAgain();
    await page.evaluate(() => window.client.publishAsync('readings', 'elsewhere', { qos: 1 }));
    assert.notEqual(await page.evaluate(() => window.client.status().current), current);
    await page.evaluate(() => window.client.endAsync(true));
    assert.deepEqual(opened.errors, []);
  });

  it('has the same id and broker after a reload, and another id in each further tab', async () => {
    await using cluster = await aedesCluster(3);
    await using opened = await browserPage();
    const { page } = opened;
    const options = { selection: 'client-id' };
    const first = await connectIn(page, cluster.wsUrls, options);
    await page.reload();
    const again = await connectIn(page, cluster.wsUrls, options);
    assert.equal(again.clientId, first.clientId);
    assert.equal(again.current, first.current);
    const ids = [again.clientId];
    for (let tab = 2; tab <= 4; tab += 1) {
      const { clientId } = await connectIn(await opened.tab(), cluster.wsUrls, options);
      ids.push(clientId);
    }
    // The copy has the storage of the tab that it is a copy of.
    const copy = await opened.duplicate();
    assert.equal(await copy.evaluate(() => sessionStorage.getItem('mqtt-failover:tab:1')), '1');
    ids.push((await connectIn(copy, cluster.wsUrls, options)).clientId);
    assert.deepEqual(ids, [first.clientId, ...[2, 3, 4, 5].map((slot) => `${first.clientId}-${slot}`)]);
    // Nobody took a session from another.
    const sessions = cluster.brokers.flatMap((broker) => broker.sessions);
    assert.equal(sessions.length, 6);
    const connected = cluster.brokers.flatMap((broker) => [...broker.connected]);
    assert.deepEqual(connected.sort(), ids.sort());
    assert.deepEqual(opened.errors, []);
  });

  it('runs under `script-src self`, where its keepalive has no worker', async () => {
    await using broker = await aedesBroker();
    await using opened = await browserPage({
      policy: "default-src 'self'; script-src 'self'; connect-src ws:",
    });
    const { page } = opened;
    await connectIn(page, [broker.wsUrl], { clientId: 'strict', keepalive: 1 });
    // One and a half seconds of silence and the broker would end it.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.deepEqual(await page.evaluate(() => window.states), ['discovering', 'connecting', 'connected']);
    await page.evaluate(() => window.client.endAsync());
    await connectIn(page, [broker.wsUrl], { clientId: 'strict-2' });
    assert.equal(await page.evaluate(() => window.client.options.keepalive), 120);
    assert.deepEqual(opened.errors, []);
  });

  it('says that an https page may not open ws: connections', async () => {
    await using opened = await browserPage();
    const { page } = opened;
    await page.route('https://app.example/', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>https</title>' }),
    );
    const bundle = `${page.url()}dist/mqtt-failover.min.js`;
    const body = await (await fetch(bundle)).text();
    await page.goto('https://app.example/');
    await page.addScriptTag({ content: body });
    const message = await page.evaluate(() => {
      try {
        window.mqttFailover.connect(['ws://a.example', 'ws://b.example'], { clientId: 'x' });
        return 'no error';
      } catch (error) {
        return `${(error as { code?: string }).code} ${(error as Error).message}`;
      }
    });
    assert.match(message, /^ERR_OPTION .*`brokers` must be wss: URLs.*https.*"ws:\/\/a\.example/);
    assert.deepEqual(opened.errors, []);
  });

  it('that comes out of the back-forward cache is connected again, after one CONNECT', async () => {
    await using broker = await aedesBroker();
    await using opened = await browserPage({ backForwardCache: true });
    const { page } = opened;
    await connectIn(page, [broker.wsUrl, broker.wsUrl.replace('127.0.0.1', 'localhost')], {
      clientId: 'back',
    });
    await page.evaluate(() => {
      addEventListener('pageshow', (event) => window.states.push(`restored ${event.persisted}`));
    });
    await page.goto(page.url().replace('127.0.0.1', 'localhost'));
    // A page that is restored does not load.
    await page.goBack({ waitUntil: 'commit' });
    await page.evaluate(() => window.client.publishAsync('readings', 'back', { qos: 1 }));
    const states = await page.evaluate(() => window.states);
    assert.deepEqual(states.slice(0, 4), ['discovering', 'connecting', 'connected', 'restored true']);
    assert.equal(states.at(-1), 'connected');
    assert.deepEqual(broker.sessions, ['back', 'back']);
    await page.evaluate(() => window.client.endAsync(true));
    assert.deepEqual(opened.errors, []);
  });
});
