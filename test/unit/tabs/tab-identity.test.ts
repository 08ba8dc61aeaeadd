/**
 * Which client id a tab gets. World: pages of one fake origin, which share storage and locks; chance is seeded.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TabIdentities } from '../../../src/tabs/tab-identity.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { FakeOrigin, type FakePage } from '../fakes/fake-page.js';

const random = new SeededRandom(7);
const identityOf = (page: FakePage, clientId?: string) => new TabIdentities(page, random).next(clientId);
const blocked = Object.assign(new Error('no'), { name: 'SecurityError' });

describe('the client id of a tab', () => {
  test('is the one that the browser keeps, at every visit', async () => {
    const origin = new FakeOrigin();
    const first = origin.page();
    const id = await identityOf(first).claim();
    assert.match(id ?? '', /^web-[0-9a-z]{14}$/);
    first.close();
    const again = identityOf(origin.page());
    assert.equal(again.presumed, id);
    assert.equal(await again.claim(), id);
    assert.deepEqual(again.warnings, []);
  });

  test('is another one in each of five tabs, and the lowest that is free in the next', async () => {
    const origin = new FakeOrigin();
    const pages = Array.from({ length: 5 }, () => origin.page());
    const ids: (string | undefined)[] = [];
    for (const page of pages) ids.push(await identityOf(page).claim());
    const [base] = ids;
    assert.deepEqual(ids, [base, `${base}-2`, `${base}-3`, `${base}-4`, `${base}-5`]);
    pages[1]?.close();
    assert.equal(await identityOf(origin.page()).claim(), `${base}-2`);
  });

  test('is another one in a duplicated tab, which starts with a copy of the storage', async () => {
    const origin = new FakeOrigin();
    await identityOf(origin.page()).claim();
    const tab = origin.page();
    const id = await identityOf(tab).claim();
    const duplicate = identityOf(origin.page(new Map(tab.tabTexts)));
    assert.equal(duplicate.presumed, id);
    const other = await duplicate.claim();
    assert.notEqual(other, id);
    assert.ok(other?.endsWith('-3'));
  });

  test('stays after a reload, though a lower one has become free', async () => {
    const origin = new FakeOrigin();
    const other = origin.page();
    await identityOf(other).claim();
    const tab = origin.page();
    const id = await identityOf(tab).claim();
    other.close();
    tab.close();
    assert.equal(await identityOf(origin.page(tab.tabTexts)).claim(), id);
  });

  test('is one for each client of a page, the same after a reload', async () => {
    const origin = new FakeOrigin();
    const tab = origin.page();
    const clients = new TabIdentities(tab, random);
    const ids = [await clients.next().claim(), await clients.next().claim()];
    assert.notEqual(ids[0], ids[1]);
    tab.close();
    const reloaded = new TabIdentities(origin.page(tab.tabTexts), random);
    assert.deepEqual([await reloaded.next().claim(), await reloaded.next().claim()], ids);
  });

  test('given by the application is told apart in the same way', async () => {
    const origin = new FakeOrigin();
    assert.equal(await identityOf(origin.page(), 'desk').claim(), 'desk');
    assert.equal(await identityOf(origin.page(), 'desk').claim(), 'desk-2');
  });

  test('is free for others when it is released, also while it is being claimed', async () => {
    const origin = new FakeOrigin();
    const page = origin.page();
    const identity = identityOf(page);
    const claim = identity.claim();
    identity.release();
    assert.equal(await claim, undefined);
    const id = await identityOf(origin.page()).claim();
    assert.equal(id, identity.presumed);
    assert.equal(await identity.claim(), `${id}-2`);
  });

  test('is drawn, with a warning, where the storage throws', async () => {
    const page = new FakeOrigin().page();
    page.storageError = blocked;
    const identity = identityOf(page);
    assert.equal(await identity.claim(), identity.presumed);
    assert.match(identity.presumed, /^web-[0-9a-z]{14}$/);
    const [warning] = identity.warnings;
    assert.equal(warning?.code, 'IDENTITY_EPHEMERAL');
    assert.match(warning?.message ?? '', /localStorage cannot be used \(SecurityError\)/);
    assert.notEqual(identityOf(page).presumed, identity.presumed);
  });

  test('has a suffix that no copy of the tab has, where there are no locks or none are allowed', async () => {
    for (const locks of [
      undefined,
      { take: async () => Promise.reject(blocked), acquire: async () => Promise.reject(blocked) },
    ]) {
      const origin = new FakeOrigin();
      const tab = origin.page();
      tab.locks = locks;
      const identity = identityOf(tab);
      const id = await identity.claim();
      assert.match(id ?? '', /^web-[0-9a-z]{14}-[0-9a-z]{4}$/);
      assert.match(identity.warnings[0]?.message ?? '', /Web Locks/);
      const duplicate = origin.page(new Map(tab.tabTexts));
      duplicate.locks = locks;
      assert.notEqual(await identityOf(duplicate).claim(), id);
    }
  });

  test('is drawn anew where somebody else has written to the storage', async () => {
    const origin = new FakeOrigin();
    origin.texts.set('mqtt-failover:client-id', 'web-\u0000');
    assert.match((await identityOf(origin.page()).claim()) ?? '', /^web-[0-9a-z]{14}$/);
    const tab = origin.page(new Map([['mqtt-failover:tab:1', '1e9']]));
    assert.match((await identityOf(tab).claim()) ?? '', /-2$/);
  });
});
