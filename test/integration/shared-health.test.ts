/**
 * Clients made by one `connect` share what they find out; those that replace a part keep to themselves.
 *
 * World: a server on 127.0.0.1 that accepts and closes, in front of a scripted broker; clients try them in that order.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import type { FailoverClient, FailoverOptions } from '../../src/index.js';
import { collect, once } from '../support/events.js';
import { HOST, Listener } from '../support/listener.js';
import { scriptedBroker } from '../support/scripted-broker.js';
import { client, hurried } from './world.js';

/** Connects `count` clients one after another; resolves with the connections that the bad server saw. */
async function badConnections(count: number, options: FailoverOptions = {}): Promise<number> {
  let accepted = 0;
  const bad = new Listener(() =>
    createServer((socket) => {
      accepted += 1;
      socket.on('error', () => {});
      socket.end();
    }),
  );
  await bad.open();
  await using good = await scriptedBroker();
  const made: (FailoverClient & AsyncDisposable)[] = [];
  try {
    for (let n = 0; n < count; n += 1) {
      const subject = client([`mqtt://${HOST}:${bad.port}`, good.url], {
        clientId: `device-${n}`,
        ...options,
      });
      made.push(subject);
      const errors = collect(subject, 'error');
      await once(subject, 'connect');
      assert.equal(subject.status().current, `${HOST}:${good.port}`);
      assert.deepEqual(errors, []);
    }
  } finally {
    for (const subject of made) await subject[Symbol.asyncDispose]();
    await bad.crash();
  }
  return accepted;
}

describe('clients of one process', () => {
  test('find out twice, all together, that a node is of no use', async () => {
    assert.equal(await badConnections(20), 2);
  });

  test('find out for themselves with a clock of their own', async () => {
    assert.equal(await badConnections(5, hurried(1)), 5);
  });

  test('find out for themselves when they reach brokers in their own way', async () => {
    const lookup = { lookup: () => {} } as FailoverOptions;
    assert.equal(await badConnections(5, lookup), 5);
  });

  test('forget it with the last of them', async () => {
    assert.equal(await badConnections(3), 2);
    assert.equal(await badConnections(3), 2);
  });
});
