// `tabs: 'shared'` in a real browser: five tabs, one connection, handed over when its tab crashes, freezes or ends.
// World: headless Chromium with several tabs of one page, one aedes broker with a WebSocket listener. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { type AedesBroker, aedesBroker } from '../support/aedes-cluster.js';
import { until } from '../support/events.js';
import { type BrowserPage, browserPage, freeze } from '../support/page.js';

interface PageWindow {
  readonly mqttFailover: typeof import('../../src/browser.js');
  client: import('../../src/browser.js').FailoverClient;
  settled: string[];
  messages: string[];
}
declare const window: PageWindow;

/** Connects a tab, subscribes to its own topic, and waits for both. */
async function join(page: Page, urls: readonly string[], name: string): Promise<void> {
  await page.evaluate(
    async ([list, topic]) => {
      window.settled = [];
      window.messages = [];
      const options = { clientId: 'desk', tabs: 'shared', protocolVersion: 4 } as const;
      const client = await window.mqttFailover.connectAsync(list, options);
      window.client = client;
      client.on('message', (from, payload) => window.messages.push(`${from} ${payload.toString()}`));
      await client.subscribeAsync(topic, { qos: 1 });
    },
    [urls, `tab/${name}`] as const,
  );
}

/** Publishes at QoS 1 until told otherwise, without waiting. */
async function publishIn(page: Page, name: string, count: number): Promise<void> {
  await page.evaluate(
    ([prefix, n]) => {
      let next = 0;
      const timer = setInterval(() => {
        const payload = `${prefix}-${next}`;
        next += 1;
        if (next === n) clearInterval(timer);
        window.client.publish('readings', payload, { qos: 1 }, (error) =>
          window.settled.push(error ? `${payload} ${error.message}` : payload),
        );
      }, 10);
    },
    [name, count] as const,
  );
}

/** The first tab leads, as it was there first. */
async function fiveTabs(opened: BrowserPage, broker: AedesBroker): Promise<Page[]> {
  const pages = [opened.page];
  await join(opened.page, [broker.wsUrl], '0');
  for (let tab = 1; tab < 5; tab += 1) {
    const page = await opened.tab();
    pages.push(page);
    await join(page, [broker.wsUrl], `${tab}`);
  }
  return pages;
}

const names = (tab: number, count: number) => Array.from({ length: count }, (_, n) => `${tab}-${n}`);

/** Every tab but the first publishes while the first goes away; then every other has lost nothing and hears its topic. */
async function handOver(
  t: TestContext,
  opened: BrowserPage,
  broker: AedesBroker,
  go: (leader: Page) => Promise<unknown>,
) {
  const pages = await fiveTabs(opened, broker);
  assert.deepEqual(broker.sessions, ['desk']);
  const [leader, ...others] = pages as [Page, ...Page[]];
  for (const [i, page] of others.entries()) await publishIn(page, `${i + 1}`, 60);
  await until(() => broker.publishes.length > 20, { what: 'publishes of the first leader' });
  await go(leader);
  const goneAt = performance.now();
  await until(() => broker.sessions.length === 2, { what: 'the next leader', timeoutMs: 20_000 });
  t.diagnostic(`the next tab was connected after ${Math.round(performance.now() - goneAt)} ms`);
  const wanted = others.flatMap((_, i) => names(i + 1, 60));
  for (const page of others)
    await page.waitForFunction(() => window.settled.length === 60, { timeout: 25_000 });
  const settled = (await Promise.all(others.map((page) => page.evaluate(() => window.settled)))).flat();
  assert.deepEqual(settled.sort(), wanted.sort());
  const arrived = new Set(broker.publishes.map(({ payload }) => payload));
  assert.deepEqual(
    wanted.filter((payload) => !arrived.has(payload)),
    [],
  );
  // One CONNECT by the first leader, one by the second.
  assert.deepEqual(broker.sessions, ['desk', 'desk']);
  for (const [i, page] of others.entries()) {
    // The subscriptions of a tab may follow its publishes.
    const hears = async () => {
      await broker.publish(`tab/${i + 1}`, 'hello', { qos: 1 });
      return page.evaluate(() => window.messages.length > 0);
    };
    await until(hears, { what: `tab ${i + 1} to hear its topic`, timeoutMs: 30_000 });
    const heard = await page.evaluate(() => window.messages);
    assert.deepEqual([...new Set(heard)], [`tab/${i + 1} hello`]);
  }
  return { leader, others };
}

describe('five tabs with one connection', () => {
  it('go on when the tab that has it crashes', async (t) => {
    await using broker = await aedesBroker();
    await using opened = await browserPage();
    await handOver(t, opened, broker, async (leader) => {
      // The navigation never ends: the renderer dies under it.
      void leader.goto('chrome://crash').catch(() => {});
      await new Promise((resolve) => leader.once('crash', resolve));
    });
    assert.deepEqual(opened.errors, []);
  });

  it('go on when its client is ended, or its tab closed', async (t) => {
    await using broker = await aedesBroker();
    await using opened = await browserPage();
    const { others } = await handOver(t, opened, broker, (leader) =>
      leader.evaluate(() => window.client.endAsync()),
    );
    const [second, third] = others as [Page, Page];
    await second.close();
    await until(() => broker.sessions.length === 3, { what: 'the third leader' });
    await third.evaluate(() => window.client.publishAsync('readings', 'third', { qos: 1 }));
    assert.ok(broker.publishes.some(({ payload }) => payload === 'third'));
    assert.deepEqual(opened.errors, []);
  });

  it('go on when its tab freezes, and that one follows when it is thawed', async (t) => {
    await using broker = await aedesBroker();
    await using opened = await browserPage();
    let thaw = async () => {};
    const { leader } = await handOver(t, opened, broker, async (frozen) => {
      thaw = await freeze(frozen);
    });
    await thaw();
    await leader.evaluate(() => window.client.publishAsync('readings', 'thawed', { qos: 1 }));
    assert.ok(broker.publishes.some(({ payload }) => payload === 'thawed'));
    assert.equal(await leader.evaluate(() => window.client.status().state), 'connected');
    assert.deepEqual(broker.sessions, ['desk', 'desk']);
    assert.deepEqual(opened.errors, []);
  });
});
