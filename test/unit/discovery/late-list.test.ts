/** Lists before their code is there: nothing is lost, a failed load is reported and tried again, a stop is final. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBrokers } from '../../../src/brokers/parse.js';
import type { EndpointList } from '../../../src/discovery/endpoint-list.js';
import { FixedList } from '../../../src/discovery/fixed-list.js';
import { type Discovery, LateList } from '../../../src/discovery/late-list.js';
import type { EndpointSet } from '../../../src/discovery/resolver.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import { isFailoverError } from '../../../src/errors.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { Recorder } from '../fakes/recorder.js';

function setOf(): EndpointSet {
  const parsed = parseBrokers(['ws://a', 'ws://b']);
  assert.ok(parsed.kind === 'static');
  return Object.freeze({ endpoints: parsed.endpoints, source: 'static' });
}

const hasCode = (code: string) => (error: unknown) => isFailoverError(error) && error.code === code;

describe('a fixed list', () => {
  test('does what the watcher of a static source does', async () => {
    const clock = new VirtualClock();
    const watched = async (make: (events: Recorder) => EndpointList) => {
      const events = new Recorder();
      const list = make(events);
      const seen: unknown[] = [list.status(), list.current];
      list.onChange(() => seen.push('changed', list.current?.endpoints));
      seen.push((await list.refresh()).endpoints, list.status(), list.receivedAt);
      await list.refresh();
      list.rescan();
      list.reached();
      const stopped = list.refresh();
      list.stop();
      await assert.rejects(stopped, hasCode('ERR_ENDED'));
      seen.push((await list.refresh()).endpoints, events.names, events.of('topology'));
      return seen;
    };
    const set = setOf();
    const fixed = await watched((events) => new FixedList(set, clock, events));
    const random = { next: () => 0.5 };
    const watcher = await watched((events) => {
      const resolver = { resolve: () => Promise.resolve(set) };
      return new Watcher({ resolver, clock, random, events, refreshMs: undefined });
    });
    assert.deepEqual(fixed, watcher);
  });
});

describe('a fixed list', () => {
  test('permits what the user wrote down, and no host that a broker names', () => {
    const set = setOf();
    const list = new FixedList(set, new VirtualClock(), new Recorder());
    const [own] = set.endpoints;
    assert.ok(own);
    const guest = { ...own, host: 'evil.test', origin: 'redirect' } as const;
    const addresses = [{ address: '192.0.2.1' }];
    assert.deepEqual([list.refusal(own), list.admitted(own, addresses)], [undefined, addresses]);
    assert.match(list.refusal(guest) ?? '', /^evil\.test is named by a broker alone/);
    assert.deepEqual(list.admitted(guest, addresses), []);
  });
});

describe('a late list', () => {
  function world() {
    const events = new Recorder();
    const set = setOf();
    const inner = new FixedList(set, new VirtualClock(), events);
    let loads = 0;
    const state = { isOffline: false };
    const load = async (): Promise<Discovery> => {
      loads += 1;
      if (state.isOffline) throw new TypeError('Failed to fetch dynamically imported module');
      return { list: inner, permit: inner, topic: undefined };
    };
    const list = new LateList(load, events);
    return { list, inner, set, events, state, loads: () => loads };
  }

  test('loads with the first question, once', async () => {
    const { list, set, loads } = world();
    let changes = 0;
    list.onChange(() => {
      changes += 1;
    });
    assert.deepEqual([list.current, list.status().source, loads()], [undefined, null, 0]);
    const [first, second] = await Promise.all([list.refresh(), list.refresh()]);
    assert.deepEqual([first, second, list.current], [set, set, set]);
    assert.equal(changes, 1);
    assert.equal(list.status().source, 'static');
    await list.refresh();
    assert.equal(loads(), 1);
  });

  test('tells when it cannot be loaded, and loads with a later question', async () => {
    const { list, events, state, set } = world();
    state.isOffline = true;
    await assert.rejects(list.refresh(), hasCode('ERR_DISCOVERY'));
    assert.match(list.status().error ?? '', /could not be loaded/);
    assert.equal(events.of('discovery-error').length, 1);
    state.isOffline = false;
    assert.equal(await list.refresh(), set);
    assert.equal(list.status().error, null);
  });

  test('that was stopped while it loaded asks nothing', async () => {
    const { list, inner } = world();
    const asked = list.refresh();
    list.stop();
    await assert.rejects(asked, hasCode('ERR_ENDED'));
    assert.equal(inner.current, undefined);
  });

  test('lets nothing be dialed before it is known who named it', async () => {
    const { list, set } = world();
    const [endpoint] = set.endpoints;
    assert.ok(endpoint);
    assert.match(list.refusal(endpoint) ?? '', /not known yet/);
    assert.deepEqual(list.admitted(endpoint, [{ address: '192.0.2.1' }]), []);
    await list.refresh();
    assert.equal(list.refusal(endpoint), undefined);
    assert.equal(list.admitted(endpoint, [{ address: '192.0.2.1' }]).length, 1);
  });
});
