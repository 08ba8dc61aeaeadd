/** Where a broker may send us: an endpoint of the list, or a host that the configuration names (R94, R95). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Redirects } from '../../../src/connection/redirect.js';
import { createEndpoint } from '../../../src/endpoint.js';
import { rank } from '../../../src/selection/rank.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const USE_ANOTHER = 0x9c;
const MOVED = 0x9d;
const MINUTE = 60_000;

const endpoint = (authority: string) =>
  createEndpoint({ scheme: 'wss', authority, path: '/mqtt?tenant=7' }, 'test');
const a = endpoint('a.test:8443');
const b = endpoint('b.test:8443');

function world(allowed: (host: string) => boolean = (host) => host.endsWith('.test')) {
  const clock = new VirtualClock();
  const refusal = ({ host }: { host: string }) => (allowed(host) ? undefined : `${host} is not wanted`);
  const redirects = new Redirects({ clock, clientId: () => 'device', refusal });
  const ids = () => redirects.order([a, b]).map(({ id }) => id);
  return { clock, redirects, ids };
}

describe('a host outside the list', () => {
  test('is used with our scheme and path, at the port that is named or else at ours', () => {
    for (const [reference, url] of [
      ['new.test:9443', 'wss://new.test:9443/mqtt'],
      ['new.test', 'wss://new.test:8443/mqtt'],
    ] as const) {
      const { redirects } = world();
      const { to } = redirects.follow(a, USE_ANOTHER, reference, [a, b]);
      const { guest } = redirects;
      assert.deepEqual(
        [to, guest?.url, guest?.path, guest?.origin, guest?.options],
        [guest?.id, url, '/mqtt?tenant=7', 'redirect', {}],
      );
    }
  });

  test('is not used when the configuration does not name it, and neither is nonsense', () => {
    const { redirects } = world((host) => host !== 'evil.test');
    for (const reference of ['evil.test:1883', 'evil.test evil.test:99999', '999.999.999.999']) {
      const { to, reason } = redirects.follow(a, USE_ANOTHER, reference, [a, b]);
      assert.deepEqual([to, redirects.guest], [null, undefined]);
      assert.match(reason, /not in the list/);
    }
  });

  test('is the best by rank where several are named, and none of them when one of the list is', () => {
    const { redirects } = world();
    const named = ['x.test:1', 'y.test:2', 'z.test:3'];
    const best = rank('device', named.map(endpoint))[0]?.id;
    assert.equal(redirects.follow(a, USE_ANOTHER, named.join(' '), [a, b]).to, best);
    assert.equal(redirects.follow(a, USE_ANOTHER, `${named.join(' ')} b.test`, [a, b]).to, b.id);
    assert.equal(redirects.guest, undefined);
  });

  test('is known until it fails, or until the list changes', () => {
    for (const end of ['failed', 'listChanged'] as const) {
      const { redirects } = world();
      const { to } = redirects.follow(a, MOVED, 'new.test', [a, b]);
      redirects.linked();
      assert.equal(redirects.guest?.id, to);
      if (end === 'failed') redirects.failed(to as string);
      else redirects.listChanged();
      assert.equal(redirects.guest, undefined);
    }
  });

  test('may send us back, and on, three times at most and never in a circle', () => {
    const { redirects } = world();
    redirects.follow(a, USE_ANOTHER, 'x.test', [a, b]);
    const x = redirects.guest as typeof a;
    assert.match(redirects.follow(x, USE_ANOTHER, 'a.test', [a, b, x]).reason, /circle/);
    redirects.follow(x, USE_ANOTHER, 'y.test', [a, b, x]);
    assert.match(redirects.follow(b, USE_ANOTHER, 'z.test', [a, b]).reason, /more than 3/);
  });
});

describe('the preference for an endpoint that a broker named', () => {
  test('holds ten minutes for "use another server"', async () => {
    const { clock, redirects, ids } = world();
    redirects.follow(a, USE_ANOTHER, 'b.test', [a, b]);
    assert.deepEqual(ids(), [b.id, a.id]);
    await clock.advance(10 * MINUTE + 1);
    assert.deepEqual(ids(), [a.id, b.id]);
  });

  test('holds for "server moved" until the list changes', async () => {
    const { clock, redirects, ids } = world();
    redirects.follow(a, MOVED, 'b.test', [a, b]);
    await clock.advance(1_000 * MINUTE);
    assert.deepEqual(ids(), [b.id, a.id]);
    redirects.listChanged();
    assert.deepEqual(ids(), [a.id, b.id]);
  });
});
