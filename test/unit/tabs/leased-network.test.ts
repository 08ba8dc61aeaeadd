/** Who may dial: only a leader that still is one, before and after the transport was opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DialTarget, Network, Transport } from '../../../src/platform/ports.js';
import { leasedNetwork } from '../../../src/tabs/leased-network.js';

function world(answers: boolean[]) {
  const log: string[] = [];
  const transport = { destroy: () => log.push('destroy') } as unknown as Transport;
  const network: Network = {
    schemes: new Set(['ws']),
    open: async () => {
      log.push('open');
      return transport;
    },
  };
  const leased = leasedNetwork(network, { isHeld: async () => answers.shift() === true });
  const open = () => leased.open({} as DialTarget, new AbortController().signal);
  return { log, transport, open };
}

test('a leader dials', async () => {
  const { open, transport, log } = world([true, true]);
  assert.equal(await open(), transport);
  assert.deepEqual(log, ['open']);
});

test('a leader that was robbed opens nothing', async () => {
  const { open, log } = world([false]);
  await assert.rejects(open(), { code: 'ERR_LINK', retryable: true });
  assert.deepEqual(log, []);
});

test('a leader that was robbed while it dialed closes what it has opened', async () => {
  const { open, log } = world([true, false]);
  await assert.rejects(open(), /Another tab has taken over/);
  assert.deepEqual(log, ['open', 'destroy']);
});
