// Pages that are denied what they ask for: storage, room, locks, other origins. The client goes on, and says what is missing.
// World: headless Chromium, one aedes broker. Fake: nothing; a frame without an origin has no storage, and the browser's
// developer tools take its room away.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { build } from 'esbuild';
import type { Frame, Page } from 'playwright-core';
import { aedesBroker } from '../support/aedes-cluster.js';
import { srv } from '../support/dns-messages.js';
import { dohServer } from '../support/doh-server.js';
import { browserPage } from '../support/page.js';
import { RegistryServer } from '../support/registry-server.js';

type Library = typeof import('../../src/browser.js');
interface PageWindow {
  readonly mqttFailover: Library;
  client: import('../../src/browser.js').FailoverClient;
  events: string[];
}
declare const window: PageWindow;

const HTML = '<!doctype html><title>app</title><script src="/app/page.js"></script>';

/** The library with `level` in one classic script, which pages of any origin may load. */
async function app(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles } = await build({
    stdin: { contents: "export * from 'mqtt-failover';", resolveDir: '.' },
    bundle: true,
    format: 'iife',
    globalName: 'mqttFailover',
    platform: 'browser',
    target: 'es2022',
    outfile: '/app/page.js',
    write: false,
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, contents }) => [path, contents]));
}

/** Connects, publishes, and gives what the client said. */
async function connectIn(where: Page | Frame, url: string, options: object): Promise<string> {
  return where.evaluate(
    async ([broker, given]) => {
      window.events = [];
      const client = window.mqttFailover.connect([broker], { protocolVersion: 4, ...given });
      window.client = client;
      client.on('storage-degraded', ({ reason, error }) => window.events.push(`${reason}: ${error.code}`));
      client.on('warning', ({ code }) => window.events.push(code));
      client.on('discovery-error', ({ source, error }) => window.events.push(`${source}: ${error.message}`));
      await new Promise((resolve) => client.once('connect', resolve));
      await client.publishAsync('readings', 'x', { qos: 1 });
      return client.status().state;
    },
    [url, options] as const,
  );
}

const events = (where: Page | Frame) => where.evaluate(() => window.events);

describe('a page that is denied', { timeout: 60_000 }, () => {
  it('storage of any kind connects with an id of the moment, and delivers from memory', async () => {
    await using broker = await aedesBroker();
    const html = `<!doctype html><iframe sandbox="allow-scripts" srcdoc='${HTML.replace('src="', 'src="ORIGIN')}'></iframe>`;
    const files = new Map<string, Uint8Array | string>(await app());
    await using opened = await browserPage({ html, files });
    const { page } = opened;
    const origin = new URL(page.url()).origin;
    await page.setContent(html.replace('ORIGIN', origin));
    await page.waitForFunction(() => document.querySelector('iframe') !== null);
    const frame = page.frames()[1] as Frame;
    await frame.waitForFunction(() => window.mqttFailover !== undefined);
    const denied = () => {
      try {
        return String(localStorage);
      } catch (error) {
        return (error as Error).name;
      }
    };
    assert.equal(await frame.evaluate(denied), 'SecurityError');
    assert.equal(await connectIn(frame, broker.wsUrl, {}), 'connected');
    assert.match(await frame.evaluate(() => window.client.status().clientId), /^web-[0-9a-z-]{19}$/);
    assert.deepEqual(await events(frame), ['IDENTITY_EPHEMERAL']);
    await frame.evaluate(() => window.client.endAsync());
    const durable = { clientId: 'device', outbox: { store: 'readings' } };
    assert.equal(await connectIn(frame, broker.wsUrl, durable), 'connected');
    assert.deepEqual(await events(frame), ['unavailable: ERR_STORE']);
    assert.equal(broker.publishes.length, 2);
    assert.deepEqual(opened.errors, []);
  });

  it('room on the disk goes on in memory, and delivers everything', async () => {
    await using broker = await aedesBroker();
    await using opened = await browserPage({ html: HTML, files: await app() });
    const { page } = opened;
    const devTools = await page.context().newCDPSession(page);
    const { origin } = new URL(page.url());
    await devTools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
    await connectIn(page, broker.wsUrl, { clientId: 'device', outbox: { store: 'readings' } });
    await broker.kill();
    await page.waitForFunction(() => window.client.status().state !== 'connected');
    await page.evaluate(() => {
      for (let i = 0; i < 20; i += 1)
        window.client.publish('readings', `${i}`.padEnd(20_000, '.'), { qos: 1 });
    });
    await page.waitForFunction(() => window.events.length > 0);
    await broker.revive();
    await page.evaluate(() => window.client.flush({ timeoutMs: 20_000 }));
    const arrived = broker.publishes.map(({ payload }) => payload.replace(/\.+$/, ''));
    assert.deepEqual(arrived, ['x', ...Array.from({ length: 20 }, (_, i) => `${i}`)]);
    assert.deepEqual(await events(page), ['full: ERR_STORE']);
    assert.deepEqual(opened.errors, []);
  });

  it('Web Locks, as in an insecure context, has an id and a store all the same', async () => {
    await using broker = await aedesBroker();
    await using opened = await browserPage({ html: HTML, files: await app(), host: 'page.test' });
    const { page } = opened;
    assert.deepEqual(await page.evaluate(() => [isSecureContext, 'locks' in navigator]), [false, false]);
    for (const [options, said] of [
      [{}, ['IDENTITY_EPHEMERAL']],
      [{ tabs: 'shared' }, ['IDENTITY_EPHEMERAL']],
      [{ clientId: 'device', outbox: { store: 'readings' } }, []],
    ] as const) {
      assert.equal(await connectIn(page, broker.wsUrl, options), 'connected');
      assert.deepEqual(await events(page), said);
      await page.evaluate(() => window.client.endAsync());
    }
    assert.equal(broker.publishes.length, 3);
    assert.deepEqual(opened.errors, []);
  });

  it('the registry of another origin is told so, and goes on with its seeds', async () => {
    await using broker = await aedesBroker();
    const nodes = [{ id: 'one', urls: [broker.wsUrl] }];
    await using registry = await RegistryServer.open({ schema: 'mqtt-nodes/1', nodes });
    await using opened = await browserPage({ html: HTML, files: await app() });
    const { page } = opened;
    const source = await page.evaluate(
      async ([url, seed]) => {
        window.events = [];
        const brokers = { sources: [url, [seed]], mode: 'fallback' as const };
        const client = window.mqttFailover.connect(brokers, { protocolVersion: 4 });
        window.client = client;
        client.on('discovery-error', ({ error }) => window.events.push(error.message));
        await new Promise((resolve) => client.once('connect', resolve));
        return client.status().discovery.source;
      },
      [registry.url, broker.wsUrl] as const,
    );
    assert.equal(source, 'static');
    assert.ok(registry.requests.length > 0);
    const refused = /127\.0\.0\.1:\d+\/nodes\.json: Failed to fetch; .*Access-Control-Allow-Origin/;
    assert.match((await events(page)).join(), refused);
    assert.deepEqual(opened.errors, []);
  });

  it('DNS over HTTPS is told so, keeps the list that it has, and boots with it', async () => {
    await using broker = await aedesBroker();
    const name = '_mqtt-ws._tcp.example.test';
    const answers = [srv(name, 'localhost', { port: broker.wsPort, ttl: 1 })];
    await using doh = await dohServer(() => ({ answers }));
    await using opened = await browserPage({ html: HTML, files: await app() });
    const { page } = opened;
    const connectBySrv = () =>
      page.evaluate(async (url) => {
        window.events = [];
        const client = window.mqttFailover.connect('ws+srv://example.test/?srv=mqtt-ws', {
          protocolVersion: 4,
          discovery: { dns: { doh: url }, allowedHosts: ['localhost'], refreshMs: 1_000 },
        });
        window.client = client;
        client.on('discovery-error', ({ source, error }) =>
          window.events.push(`${source} ${error.code} ${error.message}`),
        );
        await new Promise((resolve) => client.once('connect', resolve));
        return client.status().discovery.source;
      }, doh.url);
    const status = () => page.evaluate(() => window.client.status());

    assert.equal(await connectBySrv(), 'srv');
    doh.allowsPages = false;
    await page.waitForFunction(() => window.events.length > 0);
    const refused =
      /^srv ERR_DISCOVERY .*_mqtt-ws\._tcp\.example\.test.*127\.0\.0\.1:\d+.*doh-cors-or-network/;
    assert.match((await events(page))[0] ?? '', refused);
    const { state, endpoints, discovery } = await status();
    assert.deepEqual([state, endpoints.map(({ id }) => id)], ['connected', [`localhost:${broker.wsPort}`]]);
    assert.match(discovery.error ?? '', /doh-cors-or-network/);

    await page.reload();
    assert.equal(await connectBySrv(), 'last-known-good');
    await page.waitForFunction(() => window.events.some((text) => text.includes('doh-cors-or-network')));
    assert.deepEqual(opened.errors, []);
  });
});
