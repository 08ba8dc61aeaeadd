// The package as applications ship it: bundled, under a strict policy, in a worker, and imported on a server.
// World: dist/ through esbuild, rollup, Vite and webpack by its export conditions, headless Chromium, one aedes broker. Fake: nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { aedesCluster } from '../support/aedes-cluster.js';
import { byEsbuild, byRollup, byVite, byWebpack } from '../support/bundles.js';
import { browserPage } from '../support/page.js';

interface PageWindow {
  readonly app: Promise<unknown>;
}
declare const window: PageWindow & {
  readonly start: (urls: readonly string[]) => Promise<unknown>;
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
const PAGE_APP = `${APP}\nwindow.start = start;`;
const WORKER_APP = `${APP}\nonmessage = async ({ data }) => postMessage(await start(data).catch(String));`;
const HTML = '<!doctype html><title>app</title><script type="module" src="/app/page.js"></script>';
const POLICY = "default-src 'none'; script-src 'self'; connect-src ws:";

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
