/**
 * What an application does while the client is busy with the last thing it did.
 *
 * World: scripted brokers on 127.0.0.1. Found by `unit/connection/model`, told here one by one.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collect, once, until } from '../support/events.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client, outcome, refuse, twice, within } from './world.js';

describe('an end() that is still closing', () => {
  for (const again of ['connect', 'reconnect'] as const) {
    it(`is finished first when ${again}() is called, and then the client connects`, async () => {
      await using broker = await scriptedBroker();
      await using made = client(twice(broker));
      await once(made, 'connect');
      const ended = once(made, 'end');
      made.end();
      made[again]();
      await ended;
      await once(made, 'connect');
      assert.deepEqual([made.connected, made.disconnected, broker.connects], [true, false, 2]);
      assert.equal(await outcome(within(made.publishAsync('t', 'x', { qos: 0 }), 'the publish')), 'ok');
    });
  }

  it('stays the end when end() is called again after reconnect()', async () => {
    await using broker = await scriptedBroker();
    await using made = client(twice(broker));
    await once(made, 'connect');
    const ended = once(made, 'end');
    made.end();
    made.reconnect();
    made.end();
    await ended;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual([made.status().state, broker.connects], ['closed', 1]);
  });

  it('is one end for two drains, and reconnect() comes after both', async () => {
    await using broker = await scriptedBroker(({ cmd }) => cmd === 'publish');
    await using made = client(twice(broker));
    await once(made, 'connect');
    made.publish('t', 'x', { qos: 1 }, () => {});
    const drains = [made.drain({ timeoutMs: 50 }), made.drain({ timeoutMs: 50 })];
    const again = once(made, 'connect');
    void drains[0]?.then(() => made.reconnect());
    await within(Promise.all(drains), 'both drains');
    await again;
    assert.deepEqual([made.connected, made.disconnected], [true, false]);
  });
});

describe('a listener that calls reconnect()', () => {
  for (const event of ['state', 'health'] as const) {
    it(`inside '${event}' on CONNACK gets another connection, which works`, async () => {
      // An endpoint that was suspect is told to be healthy before the state changes.
      await using broker = await scriptedBroker(({ cmd }, connection) =>
        cmd === 'connect' && connection.index === 0 ? refuse(connection, 3) : undefined,
      );
      await using made = client([broker.url]);
      let done = false;
      made.on(event, ({ to, state }: { to?: string; state?: string }) => {
        if (done || (to !== 'connected' && state !== 'healthy')) return;
        done = true;
        made.reconnect();
      });
      await until(() => broker.connects === 3 && made.connected && made.status().current !== null);
      assert.equal(await outcome(within(made.publishAsync('t', 'x', { qos: 1 }), 'the publish')), 'ok');
    });
  }
});

describe('a connection that is being left', () => {
  it('may send garbage, and the application does not hear of it', async () => {
    await using broker = await scriptedBroker(({ cmd }, connection) => {
      if (cmd !== 'disconnect') return false;
      connection.sendRaw(Buffer.from('GARBAGE\r\n\r\n'));
      connection.end();
      return true;
    });
    await using made = client(twice(broker));
    const errors = collect(made, 'error');
    await once(made, 'connect');
    await made.moveTo('back');
    await made.publishAsync('t', 'x', { qos: 1 });
    assert.deepEqual(errors, []);
  });
});
