// The durable outbox in a page: the contract over IndexedDB, and what a device needs of it: reloads, crashes, no network.
// World: headless Chromium, `level` from npm, aedes brokers with WebSocket listeners. Fake: nothing; `node:test` is replaced
// in the page, where it is not.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { browserPage } from '../support/page.js';

const HTML = '<!doctype html><title>app</title><script type="module" src="/app/page.js"></script>';

interface ContractWindow {
  readonly tests?: Map<string, () => Promise<void>>;
}
declare const window: ContractWindow;

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
});
