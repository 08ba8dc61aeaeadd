// The package as applications ship it: bundled, under a strict policy, in a worker, and imported on a server.
// World: dist/ through esbuild, rollup, Vite and webpack by its export conditions, headless Chromium, one aedes broker. Fake: nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { aedesBroker } from '../support/aedes-cluster.js';
import { byEsbuild, byRollup, byVite, byWebpack } from '../support/bundles.js';
import { browserPage } from '../support/page.js';

interface PageWindow {
  readonly app: Promise<unknown>;
}
declare const window: PageWindow & { readonly start: (urls: string[]) => Promise<unknown> };

/** An application: connects with a connection for all tabs, which is a lazy chunk, and without, and publishes. */
const APP = `
import { connectAsync } from 'mqtt-failover';
export async function start(urls) {
  const log = [];
  for (const tabs of ['separate', 'shared']) {
    const client = await connectAsync(urls, { tabs, protocolVersion: 4 });
    await client.publishAsync('readings', tabs, { qos: 1 });
    log.push(client.status().state);
    await client.endAsync();
  }
  return log;
}`;
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
      await using broker = await aedesBroker();
      const files = await bundle('page', PAGE_APP);
      assert.ok(files.size > 1, 'there are lazy chunks');
      await using opened = await browserPage({ html: HTML, policy: POLICY, files });
      const { page } = opened;
      await page.waitForFunction(() => typeof window.start === 'function');
      const states = await page.evaluate((url) => window.start([url]), broker.wsUrl);
      assert.deepEqual(states, ['connected', 'connected']);
      assert.deepEqual(
        broker.publishes.map(({ payload }) => payload),
        ['separate', 'shared'],
      );
      assert.deepEqual(opened.errors, []);
    });
  }

  it('runs in a module worker, where there is no document and no localStorage', async () => {
    await using broker = await aedesBroker();
    const files = await byEsbuild('worker', WORKER_APP);
    await using opened = await browserPage({
      html: '<!doctype html><title>worker</title>',
      policy: POLICY,
      files,
    });
    const answer = await opened.page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const worker = new Worker('/app/worker.js', { type: 'module' });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => resolve(message);
          worker.postMessage([url]);
        }),
      broker.wsUrl,
    );
    assert.deepEqual(answer, ['connected', 'connected']);
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
