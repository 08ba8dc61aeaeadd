// The durable outbox in a page: the contract over IndexedDB, and what a device needs of it: reloads, crashes, no network.
// World: headless Chromium, `level` from npm, aedes brokers with WebSocket listeners. Fake: nothing; `node:test` is replaced
// in the page, where it is not.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { aedesCluster } from '../support/aedes-cluster.js';
import { byEsbuild } from '../support/bundles.js';
import { faultProxy } from '../support/fault-proxy.js';
import { browserPage } from '../support/page.js';

const HTML = '<!doctype html><title>app</title><script type="module" src="/app/page.js"></script>';

type Library = typeof import('../../src/browser.js');
interface PageWindow {
  readonly tests?: Map<string, () => Promise<void>>;
  readonly mqttFailover?: Library;
  client: import('../../src/browser.js').FailoverClient;
  events: string[];
}
declare const window: PageWindow;

/** The library as an application has it, which installed `level`. */
const APP = "import * as mqttFailover from 'mqtt-failover'; window.mqttFailover = mqttFailover;";
const READINGS = 1_000;

const inPage = (file: string) => fileURLToPath(new URL(`in-page/${file}`, import.meta.url));

/** A suite that was written for Node, as a module of a page. */
async function suite(file: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { page: inPage(file) },
    alias: {
      'node:test': inPage('node-test.ts'),
      'node:assert/strict': inPage('node-assert.ts'),
      'node:timers/promises': inPage('node-timers.ts'),
    },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: '/app',
    write: false,
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, contents }) => [path, contents]));
}

describe('the outbox in Chromium', { timeout: 120_000 }, () => {
  it('does what it does in Node', async (t) => {
    await using opened = await browserPage({ html: HTML, files: await suite('outbox-contract.ts') });
    const { page } = opened;
    await page.waitForFunction(() => window.tests !== undefined);
    const names = await page.evaluate(() => [...(window.tests?.keys() ?? [])]);
    assert.ok(names.length >= 30, `${names.length} tests`);
    for (const name of names)
      await t.test(name, () => page.evaluate((which) => window.tests?.get(which)?.(), name));
    assert.deepEqual(opened.errors, []);
  });

  it('loses none of 1000 publishes over ten times offline, a reload and a crash of the tab', async (t) => {
    await using cluster = await aedesCluster(2);
    await using line = await faultProxy(cluster.at(0)?.wsPort ?? 0);
    await using other = await faultProxy(cluster.at(1)?.wsPort ?? 0);
    const urls = [line.wsUrl, other.wsUrl];
    await using opened = await browserPage({ html: HTML, files: await byEsbuild('page', APP) });
    let { page } = opened;
    const context = page.context();
    const address = page.url();
    await connectIn(page, urls);
    for (let tunnel = 0; tunnel < 10; tunnel += 1) {
      await context.setOffline(true);
      // A real network takes the connections with it.
      for (const broker of cluster.brokers) broker.disconnect('device');
      await page.waitForFunction(() => ['paused', 'connecting'].includes(window.client.status().state));
      await publishUpTo(page, 100 * tunnel + 50);
      await context.setOffline(false);
      await page.waitForFunction(() => window.client.status().state === 'connected');
      if (tunnel !== 3 && tunnel !== 6) {
        await publishUpTo(page, 100 * tunnel + 100);
        continue;
      }
      // Brokers that cannot be reached: what is published now is in the store alone when the page ends.
      await Promise.all([line.refuse(), other.refuse()]);
      await page.waitForFunction(() => window.client.status().state !== 'connected');
      await publishUpTo(page, 100 * tunnel + 100);
      assert.ok((await page.evaluate(() => window.client.status().outbox.messages)) >= 50);
      if (tunnel === 3) await page.reload();
      else page = await crashed(page, address);
      await Promise.all([line.accept(), other.accept()]);
      await connectIn(page, urls);
    }
    await page.evaluate(() => window.client.flush({ timeoutMs: 20_000 }));
    assert.deepEqual(await page.evaluate(() => window.events), []);
    const arrived = cluster.publishes.map(({ payload }) => Number(payload));
    assert.deepEqual(
      [...new Set(arrived)].sort((a, b) => a - b),
      Array.from({ length: READINGS }, (_, i) => i),
    );
    t.diagnostic(`${arrived.length - READINGS} came twice`);
    await page.evaluate(() => window.client.endAsync(true));
    assert.deepEqual(opened.errors, []);
  });

  it('waits for the lock of a tab that is just dying', async () => {
    await using cluster = await aedesCluster(1);
    await using opened = await browserPage({ html: HTML, files: await byEsbuild('page', APP) });
    const { page } = opened;
    await page.evaluate(
      () =>
        new Promise<void>((granted) => {
          navigator.locks.request('mqtt-failover:readings:device', () => {
            granted();
            return new Promise((dead) => setTimeout(dead, 500));
          });
        }),
    );
    await connectIn(page, cluster.wsUrls);
    assert.deepEqual(await page.evaluate(() => window.events), []);
    await page.evaluate(() => window.client.endAsync());
  });
});

/** Connects, with an outbox that outlives the page and has room already: its code came by the network. */
async function connectIn(page: Page, urls: readonly string[]): Promise<void> {
  await page.waitForFunction(() => window.mqttFailover !== undefined);
  await page.evaluate((list) => {
    window.events = [];
    window.client = (window.mqttFailover as Library).connect(list, {
      clientId: 'device',
      protocolVersion: 4,
      outbox: { store: 'readings' },
    });
    window.client.on('storage-degraded', ({ reason, error }) => window.events.push(`${reason} ${error}`));
    window.client.on('dropped', ({ error }) => window.events.push(`${error}`));
  }, urls);
  await page.waitForFunction(() => window.client.status().state === 'connected');
  await publishUpTo(page, 1 + (await page.evaluate(() => Number(localStorage.next ?? 0))));
}

/** Publishes all readings up to a number that were not published yet, by whichever page; resolves when they are accepted. */
async function publishUpTo(page: Page, end: number): Promise<void> {
  await page.evaluate(async (all) => {
    const accepted: Promise<void>[] = [];
    for (let next = Number(localStorage.next ?? 0); next < all; next += 1)
      accepted.push(
        new Promise((resolve) => {
          window.client.publish('readings', `${next}`, { qos: 1, cbStorePut: resolve });
        }),
      );
    localStorage.next = all;
    await Promise.all(accepted);
  }, end);
}

/** Kills the process of a tab, and opens another tab at `address`. */
async function crashed(page: Page, address: string): Promise<Page> {
  const gone = page.waitForEvent('crash');
  page.goto('chrome://crash').catch(() => {});
  await gone;
  const context = page.context();
  await page.close();
  const next = await context.newPage();
  await next.goto(address);
  return next;
}
