/** Node's clock in a process that stalls: what arrived in time is read before a deadline strikes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { nodePlatform } from '../../../src/platform/node.js';

const { clock } = nodePlatform;

/** Two ends of a connection. */
async function connection(): Promise<{ here: Socket; there: Socket } & AsyncDisposable> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const here = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [[there]] = (await Promise.all([once(server, 'connection'), once(here, 'connect')])) as [
    [Socket],
    [],
  ];
  const end = async () => {
    here.destroy();
    there.destroy();
    server.close();
    await once(server, 'close');
  };
  return { here, there, [Symbol.asyncDispose]: end };
}

function stall(ms: number): void {
  const until = clock.now() + ms;
  while (clock.now() < until);
}

describe("Node's clock", () => {
  test('lets a socket speak first whose answer came while the process stalled', async () => {
    await using line = await connection();
    const order: string[] = [];
    const read = once(line.here, 'data').then(() => order.push('answer'));
    const due = new Promise<void>((resolve) => {
      clock.setTimeout(() => {
        order.push('deadline');
        resolve();
      }, 5);
    });
    line.there.write('in time');
    stall(30);
    await Promise.all([read, due]);
    assert.deepEqual(order, ['answer', 'deadline']);
  });

  test('disarms a timer whose time is up and whose callback has not run', async () => {
    const fired: string[] = [];
    const timer = clock.setTimeout(() => fired.push('disarmed'), 1);
    const last = new Promise<void>((resolve) => {
      // Armed later for the same time: its own turn ends before the one that the first timer asked for.
      setTimeout(() => {
        clock.clearTimeout(timer);
        setImmediate(() => setImmediate(resolve));
      }, 1);
    });
    stall(5);
    await last;
    assert.deepEqual(fired, []);
  });
});
