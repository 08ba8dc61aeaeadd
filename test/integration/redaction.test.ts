/**
 * Nothing that is secret is ever shown (R195): one eventful life with everything listened to, and canaries for secrets.
 *
 * World: a broker that refuses, one that hangs up, a closed port, one behind a signed WebSocket URL, one that serves;
 * each with secrets of its own. The log function gets all that MQTT.js logs.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { FailoverClient } from '../../src/index.js';
import { once, until } from '../support/events.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client, outcome, refuse } from './world.js';

const CANARY = /canary/i;

const EVENTS = [
  ...['connect', 'reconnect', 'close', 'offline', 'disconnect', 'end', 'error', 'message', 'packetsend'],
  ...['packetreceive', 'failover', 'failback', 'move', 'topology', 'health', 'state', 'dropped', 'uncertain'],
  ...['conflict', 'redirect', 'discovery-error', 'trace', 'security', 'topology', 'warning'],
] as const;

/** A value with all that is in it, hidden members and causes too, and bytes as text. */
function spell(value: unknown): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  const visit = (item: unknown): void => {
    if (typeof item === 'string') parts.push(item);
    if (typeof item !== 'object' || item === null || seen.has(item)) return;
    seen.add(item);
    if (item instanceof Uint8Array) parts.push(Buffer.from(item).toString());
    else for (const name of Reflect.ownKeys(item)) visit((item as Record<PropertyKey, unknown>)[name]);
  };
  visit(value);
  return `${parts.join('\n')}\n${inspect(value, { depth: 6 })}`;
}

describe('a life with the log on and every event listened to', () => {
  it('shows no password, user info, will, token or signed URL anywhere, and still sends them', async () => {
    await using refuses = await scriptedBroker(({ cmd }, connection) =>
      cmd === 'connect' ? refuse(connection, 0x86) : undefined,
    );
    await using hangsUp = await scriptedBroker((_, connection) => connection.end());
    await using sendsAway = await scriptedBroker(({ cmd }, connection) => {
      if (cmd !== 'connect') return false;
      const properties = {
        serverReference: 'user:reference@evil.example:1883',
        reasonString: 'a reason',
      };
      connection.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0x9c, properties });
      connection.end();
      return true;
    });
    await using signed = await scriptedBroker(
      ({ cmd }, connection) => {
        if (cmd === 'publish') setImmediate(() => connection.reset());
        return cmd === 'publish';
      },
      { ws: true },
    );
    await using serves = await scriptedBroker();
    const told: unknown[] = [];
    let asked = 0;
    await using made = client(
      [
        { url: 'mqtt://canary-user:canary-password@127.0.0.1:1/?token=canary-query', id: 'closed' },
        { url: refuses.url.replace('//', '//canary-user:canary-password@'), id: 'refuses' },
        { url: hangsUp.url, id: 'hangs-up', password: 'canary-endpoint', username: 'canary-name' },
        { url: sendsAway.url, id: 'sends-away' },
        { url: signed.url, id: 'signed' },
        { url: serves.url, id: 'serves' },
      ],
      {
        clientId: 'device-7',
        protocolVersion: 5,
        username: 'canary-username',
        password: 'canary-password',
        will: { topic: 'wills', payload: Buffer.from('canary-will'), qos: 0, retain: false },
        properties: { authenticationMethod: 'm', authenticationData: Buffer.from('canary-data') },
        log: (...args) => void told.push(args),
        credentials: ({ id }) => {
          asked += 1;
          if (id === 'closed') throw new Error('https://vault/?key=canary-vault says canary-no');
          if (id === 'signed')
            return { url: `${signed.url}/mqtt?X-Signature=canary-signature`, password: 'canary-fresh' };
          return { username: 'canary-fresh', password: 'canary-fresh' };
        },
      },
    );
    for (const event of EVENTS)
      made.on(event as 'state', (...args: unknown[]) => void told.push([event, ...args.map(unfolded)]));
    await once(made, 'connect');
    assert.equal(made.status().current, 'signed');
    told.push(snapshot(made));
    // Lost under way, delivered elsewhere.
    await made.publishAsync('t', 'x', { qos: 1 });
    told.push(snapshot(made));
    assert.equal(made.status().current, 'serves');
    await outcome(made.moveTo('refuses'));
    await outcome(made.moveTo('closed'));
    await outcome(made.publishAsync('t/#', 'canary-payload', { qos: 1 }));
    await until(() => made.connected);
    told.push(snapshot(made));
    await made.endAsync();
    told.push(snapshot(made));

    const shown = told.map(spell);
    const leaks = shown.filter((text) => CANARY.test(text)).map((text) => text.slice(0, 600));
    assert.deepEqual(leaks.slice(0, 3), []);
    assert.ok(told.length > 100 && asked >= 5, `${told.length} things were told`);
    const packet = signed.packets('connect')[0];
    assert.deepEqual(
      [
        String(packet?.password),
        String(packet?.will?.payload),
        String(packet?.properties?.authenticationData),
      ],
      ['canary-fresh', 'canary-will', 'canary-data'],
    );
  });
});

function snapshot(made: FailoverClient): unknown {
  return [made.status(), made.explain(), JSON.stringify(made.status())];
}

/** An error with what is in it; `cause` of a `credentials` failure is the application's own error, and stays so. */
function unfolded(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { message, stack, code, cause, errors = [] } = value as Error & { code?: string; errors?: unknown[] };
  return [message, stack, code, errors.map(unfolded), code === 'ERR_CREDENTIALS' ? '' : unfolded(cause)];
}
