// A registry of another origin in a real page: no preflight, and the browser's own cache makes questions conditional.
// World: headless Chromium with dist/mqtt-failover.min.js, a registry and one aedes broker. Fake: nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aedesCluster } from '../support/aedes-cluster.js';
import { until } from '../support/events.js';
import { browserPage } from '../support/page.js';
import { RegistryServer } from '../support/registry-server.js';

declare const window: { readonly mqttFailover: typeof import('../../src/browser.js') };

describe('a registry in Chromium', () => {
  it('is polled across origins without a preflight, and unchanged costs a 304', async () => {
    await using cluster = await aedesCluster(1);
    const nodes = [{ id: 'one', urls: [cluster.urls[0], cluster.wsUrls[0]] }];
    await using registry = await RegistryServer.open({ schema: 'mqtt-nodes/1', nodes });
    registry.headers['access-control-allow-origin'] = '*';
    await using opened = await browserPage();
    const current = await opened.page.evaluate(async (url) => {
      const options = { clientId: 'page-1', discovery: { registry: { pollMs: 1_000 } } };
      return (await window.mqttFailover.connectAsync(url, options)).status().current;
    }, registry.url);
    assert.equal(current, 'one');
    await until(() => registry.requests.some(({ status }) => status() === 304), {
      what: 'a 304',
      timeoutMs: 10_000,
    });
    assert.deepEqual([...new Set(registry.requests.map(({ method }) => method))], ['GET']);
    assert.deepEqual(opened.errors, []);
  });
});
