// The package as applications ship it: bundled, under a strict policy, in a worker, and imported on a server.
// World: dist/ through esbuild, rollup, Vite and webpack by its export conditions, headless Chromium, one aedes broker. Fake: nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Route } from 'playwright-core';
import { aedesCluster } from '../support/aedes-cluster.js';
import { type Bundle, byEsbuild, byRollup, byVite, byWebpack } from '../support/bundles.js';
import { browserPage } from '../support/page.js';

interface PageWindow {
  /** What became of the client. */
  readonly going: Promise<unknown>;
  readonly app: Promise<unknown>;
}
declare const window: PageWindow & {
  readonly start: (urls: string | readonly string[]) => Promise<unknown>;
  readonly client: import('../../src/browser.js').FailoverClient;
};

/**
 * An application: finds its brokers, publishes and moves, then does with a connection for all tabs. Lists that are not static,
 * moves and shared tabs are lazy chunks.
 */
const APP = `
import { connectAsync } from 'mqtt-failover';
export async function start(urls) {
  const log = [];
  for (const tabs of ['separate', 'shared']) {
    const client = await connectAsync(async () => urls, { tabs, protocolVersion: 4 });
    await client.publishAsync('readings', tabs, { qos: 1 });
    const { current, endpoints } = client.status();
    const other = endpoints.find(({ id }) => id !== current).id;
    await client.moveTo(other);
    log.push(client.status().state, client.status().current === other);
    await client.endAsync();
  }
  return log;
}`;
/** An application that asks for a move and cannot load its code. */
const STRANDED_APP = `
import { connectAsync } from 'mqtt-failover';
window.start = async (urls) => {
  window.client = await connectAsync(urls, { clientId: 'stranded' });
  const { current: before, endpoints } = window.client.status();
  const { code, message } = await window.client.moveTo(endpoints.find(({ id }) => id !== before).id).catch((error) => error);
  const { current: after, state } = window.client.status();
  return { code, message, before, after, state };
};`;
/** An application that publishes whether or not the code of its client can be loaded. */
const UNDAUNTED_APP = `
import { connect } from 'mqtt-failover';
window.start = async (urls) => {
  const client = connect(urls, { clientId: 'undaunted' });
  const log = [];
  client.on('state', ({ from, to }) => log.push(from + ' → ' + to));
  const delivered = ['a', 'b'].map((payload) => client.publishAsync('readings', payload, { qos: 1 }));
  const error = await new Promise((resolve) => client.once('error', resolve));
  log.push(error.code, error.message);
  window.going = Promise.all(delivered).then(() => [...log, client.status().state]);
};`;
/** An application with a client of one broker, and then with one of several. */
const FRUGAL_APP = `
import { connectAsync } from 'mqtt-failover';
window.start = async (brokers) => {
  const client = await connectAsync(brokers, { protocolVersion: 4 });
  await client.publishAsync('readings', 'x', { qos: 1 });
  await client.endAsync();
};`;
/** An application that finds its brokers, and whose publishes outlive it. */
const DURABLE_APP = `
import { connect } from 'mqtt-failover';
window.start = async (urls) => {
  window.client = connect(async () => urls, { clientId: 'durable', outbox: { store: 'durable' } });
};`;
const PAGE_APP = `${APP}\nwindow.start = start;`;
const WORKER_APP = `${APP}\nonmessage = async ({ data }) => postMessage(await start(data).catch(String));`;
const HTML = '<!doctype html><title>app</title><script type="module" src="/app/page.js"></script>';
const POLICY = "default-src 'none'; script-src 'self'; connect-src ws:";

/** The file with a part of the library that a page loads; bundlers name it as they like. */
function chunkWith(text: string, files: Bundle): readonly [string, Uint8Array | string] {
  const found = [...files].filter(
    ([path, code]) => path !== '/app/page.js' && Buffer.from(code).includes(text),
  );
  assert.equal(found.length, 1, 'it is in a chunk of its own');
  return found[0]!;
}
const ENGINE = 'waiting for the retry budget';
const STORE = 'A record of the outbox cannot be read';
const DISCOVERY = 'The topology topic was ignored';

describe('the package in an application', () => {
  for (const [bundler, bundle] of [
    ['esbuild', byEsbuild],
    ['rollup', byRollup],
    ['Vite', byVite],
    ['webpack', byWebpack],
  ] as const) {
    it(`bundled by ${bundler} runs under \`script-src 'self'\`, lazy chunks included`, async () => {
      await using cluster = await aedesCluster(2);
      const files = await bundle('page', PAGE_APP);
      assert.ok(files.size > 1, 'there are lazy chunks');
      await using opened = await browserPage({ html: HTML, policy: POLICY, files });
      const { page } = opened;
      await page.waitForFunction(() => typeof window.start === 'function');
      const states = await page.evaluate((urls) => window.start(urls), cluster.wsUrls);
      assert.deepEqual(states, ['connected', true, 'connected', true]);
      assert.deepEqual(
        new Set(cluster.publishes.map(({ payload }) => payload)),
        new Set(['separate', 'shared']),
      );
      assert.deepEqual(opened.errors, []);
    });
  }

  for (const [bundler, bundle] of [
    ['esbuild', byEsbuild],
    ['webpack', byWebpack],
  ] as const) {
    it(`bundled by ${bundler} keeps what is published while its engine cannot be loaded, and says so`, async () => {
      await using cluster = await aedesCluster(2);
      const files = await bundle('page', UNDAUNTED_APP);
      const [path, code] = chunkWith(ENGINE, files);
      files.delete(path);
      await using opened = await browserPage({ html: HTML, policy: POLICY, files });
      const { page } = opened;
      await page.waitForFunction(() => typeof window.start === 'function');
      await page.evaluate((urls) => window.start(urls), cluster.wsUrls);
      files.set(path, code);
      await page.evaluate(() => dispatchEvent(new Event('online')));
      const [wait, errorCode, message, ...rest] = (await page.evaluate(() => window.going)) as string[];
      assert.deepEqual([wait, errorCode], ['idle → backoff', 'ERR_LINK']);
      assert.match(message ?? '', /could not be loaded .* is the chunk beside the bundle\?/s);
      assert.deepEqual(rest.slice(0, 2), ['backoff → idle', 'idle → discovering']);
      assert.equal(rest.at(-1), 'connected');
      assert.deepEqual(
        cluster.publishes.map(({ payload }) => payload),
        ['a', 'b'],
      );
      assert.deepEqual(opened.errors, []);
    });
  }

  it('loads the engine with the first client that has a use for it, which one of one broker has not', async () => {
    await using cluster = await aedesCluster(2);
    const files = await byEsbuild('page', FRUGAL_APP);
    const [engine] = chunkWith(ENGINE, files);
    await using opened = await browserPage({ html: HTML, policy: POLICY, files });
    const { page } = opened;
    const requested: string[] = [];
    page.on('request', (request) => requested.push(new URL(request.url()).pathname));
    await page.waitForFunction(() => typeof window.start === 'function');
    await page.evaluate((url) => window.start(url), cluster.wsUrls[0]!);
    assert.ok(!requested.includes(engine));
    await page.evaluate((urls) => window.start(urls), cluster.wsUrls);
    assert.ok(requested.includes(engine));
  });

  it('asks for the durable outbox and for discovery together with the engine', async () => {
    await using cluster = await aedesCluster(2);
    const files = await byEsbuild('page', DURABLE_APP);
    const [engine] = chunkWith(ENGINE, files);
    const needed = [STORE, DISCOVERY].map((text) => chunkWith(text, files)[0]);
    await using opened = await browserPage({ html: HTML, policy: POLICY, files });
    const { page } = opened;
    const held = await new Promise<Route>((resolve, reject) => {
      const asked = Promise.all(
        needed.map((path) => page.waitForRequest((request) => request.url().endsWith(path))),
      );
      page.route(`**${engine}`, (route) => asked.then(() => resolve(route), reject)).catch(reject);
      page
        .waitForFunction(() => typeof window.start === 'function')
        .then(() => page.evaluate((urls) => window.start(urls), cluster.wsUrls))
        .catch(reject);
    });
    await held.continue();
    await page.waitForFunction(() => window.client.connected);
    assert.deepEqual(opened.errors, []);
  });

  it('stays where it is, and fails over all the same, when the chunk of planned moves is not there', async () => {
    await using cluster = await aedesCluster(2);
    const files = await byEsbuild('page', STRANDED_APP);
    const chunk = [...files.keys()].find((path) => path.includes('planned-moves'));
    assert.ok(chunk && files.delete(chunk));
    await using opened = await browserPage({ html: HTML, policy: POLICY, files });
    const { page } = opened;
    await page.waitForFunction(() => typeof window.start === 'function');
    const { code, message, before, after, state } = (await page.evaluate(
      (urls) => window.start(urls),
      cluster.wsUrls,
    )) as Record<string, string>;
    assert.deepEqual([code, after, state], ['ERR_LINK', before, 'connected']);
    assert.match(message ?? '', /could not be loaded/);
    await cluster.brokers.find(({ wsPort }) => before === `127.0.0.1:${wsPort}`)?.kill();
    await page.waitForFunction(
      (from) => window.client.status().state === 'connected' && window.client.status().current !== from,
      before,
    );
  });

  it('runs in a module worker, where there is no document and no localStorage', async () => {
    await using cluster = await aedesCluster(2);
    const files = await byEsbuild('worker', WORKER_APP);
    await using opened = await browserPage({
      html: '<!doctype html><title>worker</title>',
      policy: POLICY,
      files,
    });
    const answer = await opened.page.evaluate(
      (urls) =>
        new Promise((resolve) => {
          const worker = new Worker('/app/worker.js', { type: 'module' });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => resolve(message);
          worker.postMessage(urls);
        }),
      cluster.wsUrls,
    );
    assert.deepEqual(answer, ['connected', true, 'connected', true]);
    assert.deepEqual(opened.errors, []);
  });

  it('imports on a server, touching no storage, worker or channel, and ranks there', async () => {
    for (const file of ['browser.js', 'index.js']) {
      const source = `
        for (const name of ['localStorage', 'sessionStorage', 'BroadcastChannel', 'Worker'])
          Object.defineProperty(globalThis, name, { get() { throw new Error(name + ' was touched'); }, configurable: true });
        const { rank } = await import(${JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href)});
        console.log(rank('a', [{ id: 'x', weight: 1 }]).length);`;
      const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', source]);
      assert.deepEqual(await run, { stdout: '1\n', stderr: '' });
    }
  });
});
