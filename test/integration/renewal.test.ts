// Credentials that expire on a live link: the client comes back with fresh ones before a broker has to cut it.
// World: one scripted broker. Real: sockets, time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailoverEvents } from '../../src/index.js';
import { collect, once } from '../support/events.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client } from './world.js';

describe('credentials with an expiry', () => {
  it('are renewed on the same endpoint, politely, before they expire', async () => {
    const seen: string[] = [];
    await using broker = await scriptedBroker((packet) => {
      if (packet.cmd === 'connect') seen.push(`connect ${packet.password}`);
      if (packet.cmd === 'disconnect') seen.push('disconnect');
    });
    let asked = 0;
    await using device = client([broker.url], {
      clientId: 'device',
      credentials: () => {
        asked += 1;
        const life = asked === 1 ? 4_000 : 60_000;
        return { username: 'u', password: `token ${asked}`, expiresAt: Date.now() + life };
      },
    });
    await once(device, 'connect');
    const failovers = collect(device, 'failover');
    const [{ from, to, reason }] = await once<[FailoverEvents['move']]>(device, 'move');
    assert.equal(from, to);
    assert.match(reason, /expire/);
    assert.deepEqual(seen, ['connect token 1', 'disconnect', 'connect token 2']);
    await device.publishAsync('readings', '1', { qos: 1 });
    assert.deepEqual(failovers, []);
  });
});
