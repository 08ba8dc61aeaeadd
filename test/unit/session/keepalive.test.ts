/** Keepalive in a page whose timers are slowed down, with a worker that may be refused (R161, R197). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import type { PageTimers } from '../../../src/platform/page.js';
import { keepAliveIn } from '../../../src/session/keepalive.js';
import { settle } from '../../support/virtual-clock.js';
import { FakeOrigin } from '../fakes/fake-page.js';

function world(given: IClientOptions = {}) {
  let refuse = () => {};
  let made = 0;
  const refused = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  const timers: PageTimers = { set: () => 1, clear: () => {}, refused };
  const page = new FakeOrigin().page();
  const live: IClientOptions = { keepalive: 30, ...given };
  const make = () => {
    made += 1;
    return timers;
  };
  keepAliveIn(Object.assign(page, { timers: make }), live, given);
  return { live, timers, refuse, made: () => made };
}

test('uses the timers of the page, and the usual keepalive', async () => {
  const { live, timers } = world();
  await settle();
  assert.equal(live.timerVariant as unknown, timers);
  assert.equal(live.keepalive, 30);
});

test('has a longer keepalive from the next CONNECT on where the page refuses them', async () => {
  const { live, refuse } = world();
  refuse();
  await settle();
  assert.equal(live.keepalive, 120);
});

test('leaves the keepalive that the application gave', async () => {
  const { live, refuse } = world({ keepalive: 45 });
  refuse();
  await settle();
  assert.equal(live.keepalive, 45);
});

test('leaves the timers that the application gave, and makes none', () => {
  const { live, made } = world({ timerVariant: 'native' });
  assert.equal(live.timerVariant, 'native');
  assert.equal(made(), 0);
});
