// A page that finds its brokers with the DNS server that people run, through the proxy that lets it.
// World: headless Chromium with dist/mqtt-failover.min.js, BIND 9 behind HAProxy, two mosquitto brokers. Fake: nothing.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bind } from '../support/bind.js';
import { dohProxy } from '../support/doh-proxy.js';
import { mosquittos } from '../support/mosquitto.js';
import { browserPage } from '../support/page.js';

declare const window: {
  readonly mqttFailover: typeof import('../../src/browser.js');
  client: import('../../src/browser.js').FailoverClient;
};

const NAME = '_mqtt-ws._tcp.example.test.';

it('a page follows SRV records of BIND, which HAProxy lets it read', { timeout: 60_000 }, async () => {
  await using brokers = await mosquittos(2);
  const [first, second] = brokers.map(({ wsPort }) => wsPort);
  await using server = await bind('example.test', [`_mqtt-ws._tcp 2 IN SRV 0 1 ${first} localhost.`]);
  await using proxy = await dohProxy(server.dohPort);
  await using opened = await browserPage();
  const { page } = opened;
  const current = await page.evaluate(async (doh) => {
    window.client = await window.mqttFailover.connectAsync('ws+srv://example.test/?srv=mqtt-ws', {
      clientId: 'page',
      discovery: { dns: { doh }, allowedHosts: ['localhost'], refreshMs: 1_000 },
    });
    return window.client.status().current;
  }, proxy.url);
  assert.equal(current, `localhost:${first}`);
  // The next answer names another one, to which it goes when the first is dead.
  await server.update(`update delete ${NAME} SRV`, `update add ${NAME} 2 SRV 0 1 ${second} localhost.`);
  await page.waitForFunction((id) => window.client.status().home === id, `localhost:${second}`);
  await brokers[0]?.kill();
  await page.evaluate(() => window.client.publishAsync('readings', 'x', { qos: 1 }));
  assert.deepEqual([...(brokers[1]?.takenTopics() ?? [])], ['readings']);
  await page.evaluate(() => window.client.endAsync());
  assert.deepEqual(opened.errors, []);
});
