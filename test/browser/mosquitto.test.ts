// A page on real mosquitto brokers: what differs from aedes is their WebSocket (libwebsockets) and their way to die.
// World: headless Chromium with dist/mqtt-failover.min.js, two mosquitto processes with WebSocket listeners. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { mosquittos } from '../support/mosquitto.js';
import { browserPage } from '../support/page.js';

interface PageWindow {
  readonly mqttFailover: typeof import('../../src/browser.js');
  client: import('../../src/browser.js').FailoverClient;
  /** Topics of what came back by the subscription. */
  heard: Set<string>;
  failures: string[];
  settled: number;
}
declare const window: PageWindow;

const READINGS = 40;

/** Connects to the first of them, and hears its own readings. */
async function connectIn(page: Page, urls: readonly string[]): Promise<void> {
  await page.evaluate(async (list) => {
    window.heard = new Set();
    window.failures = [];
    window.settled = 0;
    const client = await window.mqttFailover.connectAsync(list, { clientId: 'page', selection: 'ordered' });
    window.client = client;
    client.on('message', (topic) => window.heard.add(topic));
    await client.subscribeAsync('readings/#', { qos: 1 });
  }, urls);
}

/** Publishes all readings at QoS 1, one each 20 ms; resolves when some are acknowledged. */
async function publishIn(page: Page): Promise<void> {
  await page.evaluate((count) => {
    let next = 0;
    const timer = setInterval(() => {
      window.client.publish(`readings/${next}`, 'x', { qos: 1 }, (error) => {
        window.settled += 1;
        if (error) window.failures.push(error.message);
      });
      next += 1;
      if (next === count) clearInterval(timer);
    }, 20);
  }, READINGS);
  await page.waitForFunction(() => window.settled > 5);
}

/** The next `failover`, with when it came by the clock of the page. */
function failover(page: Page): Promise<{ offlineMs: number; at: number }> {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        window.client.once('failover', ({ offlineMs }) => resolve({ offlineMs, at: performance.now() }));
      }),
  );
}

describe('a page on mosquitto', { timeout: 120_000 }, () => {
  for (const [blow, text] of [
    ['kill', 'is killed'],
    ['freeze', 'is frozen'],
  ] as const) {
    it(`loses nothing and keeps its subscription when its broker ${text}`, async (t) => {
      await using brokers = await mosquittos(2);
      await using opened = await browserPage();
      const { page } = opened;
      await connectIn(
        page,
        brokers.map(({ wsUrl }) => wsUrl),
      );
      const moved = failover(page);
      await publishIn(page);
      const struckAt = await page.evaluate(() => performance.now());
      await brokers[0]?.[blow]();
      const { offlineMs, at } = await moved;
      t.diagnostic(
        `on the next one ${Math.round(at - struckAt)} ms after it, offline for ${Math.round(offlineMs)} ms`,
      );
      await page.waitForFunction((count) => window.settled === count, READINGS);
      assert.deepEqual(await page.evaluate(() => window.failures), []);
      const taken = new Set(brokers.flatMap((broker) => [...broker.takenTopics()]));
      const all = Array.from({ length: READINGS }, (_, n) => `readings/${n}`);
      assert.deepEqual(
        all.filter((topic) => !taken.has(topic)),
        [],
      );
      await page.evaluate(() => window.client.publishAsync('readings/after', 'x', { qos: 1 }));
      await page.waitForFunction(() => window.heard.has('readings/after'));
      const current = await page.evaluate(() => window.client.status().current);
      assert.equal(current, `127.0.0.1:${brokers[1]?.wsPort}`);
      await page.evaluate(() => window.client.endAsync(true));
      assert.deepEqual(opened.errors, []);
    });
  }
});
