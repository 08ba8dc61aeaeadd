/** The list that a device boots with: what is kept, what is never kept, and what is not believed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LastKnownGood } from '../../../src/discovery/last-known-good.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { createEndpoint, type EndpointInit } from '../../../src/endpoint.js';
import type { TextStore } from '../../../src/platform/ports.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const DAY_MS = 86_400_000;

class Memory implements TextStore {
  text: string | undefined = undefined;
  broken = false;

  async read(): Promise<string | undefined> {
    if (this.broken) throw new Error('the store cannot be read');
    return this.text;
  }

  async write(_key: string, text: string): Promise<void> {
    if (this.broken) throw new Error('the disk is full');
    this.text = text;
  }
}

function made(init: Partial<EndpointInit> = {}) {
  return createEndpoint(
    { scheme: 'mqtts', authority: 'n1.example.com', origin: 'registry', ...init },
    'test',
  );
}

function setOf(...inits: Partial<EndpointInit>[]): EndpointSet {
  return { endpoints: inits.map(made), source: 'registry', revision: '7' };
}

function world(key = 'k') {
  const clock = new VirtualClock();
  const store = new Memory();
  return { clock, store, kept: new LastKnownGood(store, key, clock) };
}

describe('last known good', () => {
  test('gives back what was kept, endpoint for endpoint', async () => {
    const { clock, store, kept } = world();
    const set = setOf(
      { id: 'n1', priority: 1, weight: 3, zone: 'eu', state: 'draining', since: 5, drainBy: 6 },
      { id: 'n2', scheme: 'wss', authority: '[2001:db8::1]:8443', path: '/mqtt' },
    );
    await kept.save(set);
    const loaded = await new LastKnownGood(store, 'k', clock).load();
    assert.deepEqual(loaded, { endpoints: set.endpoints, source: 'last-known-good', revision: '7' });
  });

  test('has nothing where nothing was kept', async () => {
    assert.equal(await world().kept.load(), undefined);
  });

  test('keeps no list with options of an endpoint, none that the user wrote down, and no query', async () => {
    const { store, kept } = world();
    await kept.save(setOf({ options: { username: 'canary' } }));
    await kept.save(setOf({ origin: 'static' }));
    assert.equal(store.text, undefined);
    await kept.save(setOf({ scheme: 'wss', path: '/mqtt?token=canary' }));
    assert.doesNotMatch(String(store.text), /canary|undefined/);
    assert.equal((await kept.load())?.endpoints[0]?.path, '/mqtt');
  });

  test('ignores a list of another source, and one that is older than a week', async () => {
    const { clock, store, kept } = world();
    await kept.save(setOf({}));
    assert.equal(await new LastKnownGood(store, 'other', clock).load(), undefined);
    await clock.advance(7 * DAY_MS);
    assert.ok(await kept.load());
    await clock.advance(1_000);
    assert.equal(await kept.load(), undefined);
  });

  test('believes a list from the future: the clock of this boot is wrong', async () => {
    const { store, kept } = world();
    await kept.save(setOf({}));
    const in1970 = new VirtualClock(0, 0);
    assert.ok(await new LastKnownGood(store, 'k', in1970).load());
  });

  test('believes a list that was kept in 1970: the clock of that boot was wrong', async () => {
    const { store } = world();
    const in1970 = new VirtualClock(0, 0);
    await new LastKnownGood(store, 'k', in1970).save(setOf({}));
    in1970.shiftWall(Date.UTC(2026, 10, 21));
    assert.ok(await new LastKnownGood(store, 'k', in1970).load());
  });

  test('takes no byte of a damaged record for granted', async () => {
    const { store, kept } = world();
    const set = setOf({ id: 'n1' }, { id: 'n2', authority: 'n2.example.com' });
    await kept.save(set);
    const good = store.text as string;
    for (let at = 0; at < good.length; at += 1) {
      for (const damaged of [
        good.slice(0, at),
        good.slice(0, at) + String.fromCharCode(good.charCodeAt(at) ^ 1) + good.slice(at + 1),
      ]) {
        store.text = damaged;
        const loaded = await kept.load();
        for (const endpoint of loaded?.endpoints ?? []) {
          assert.notEqual(endpoint.origin, 'static');
          assert.deepEqual(endpoint.options, {});
        }
      }
    }
  });

  for (const [what, change] of Object.entries({
    'two endpoints with one id': (r: { endpoints: object[] }) => r.endpoints.push(r.endpoints[0] as object),
    'no endpoints': (r: { endpoints: object[] }) => r.endpoints.splice(0),
    'a thousand and one endpoints': (r: { endpoints: object[] }) => {
      r.endpoints = Array.from({ length: 1_001 }, (_, i) => ({ ...r.endpoints[0], id: `n${i}` }));
    },
    'an endpoint that claims to be the user’s own': (r: { endpoints: object[] }) =>
      Object.assign(r.endpoints[0] as object, { origin: 'static' }),
    'a newer version': (r: object) => Object.assign(r, { version: 2 }),
  })) {
    test(`ignores a record with ${what}`, async () => {
      const { store, kept } = world();
      await kept.save(setOf({}));
      const record = JSON.parse(store.text as string);
      change(record);
      store.text = JSON.stringify(record);
      assert.equal(await kept.load(), undefined);
    });
  }

  test('never throws on load; a save that fails says so and the next one is tried', async () => {
    const { store, kept } = world();
    store.broken = true;
    assert.equal(await kept.load(), undefined);
    await assert.rejects(kept.save(setOf({})), /disk is full/);
    store.broken = false;
    await kept.save(setOf({}));
    assert.ok(store.text);
  });
});
