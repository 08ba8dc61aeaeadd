/** The benchmarks' own arithmetic and their detector of lost messages; nothing is measured here. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import type { MqttClient } from 'mqtt';
import { parseCli, UsageError } from '../../bench/cli.js';
import { PublishingApp } from '../../bench/support/publishing-app.js';
import { median, pairedRatios, quantile, summarize } from '../../bench/support/statistics.js';

describe('bench: statistics', () => {
  it('interpolates between neighbours and does not reorder its input', () => {
    const samples = [30, 10, 20, 40];
    assert.equal(median(samples), 25);
    assert.equal(quantile(samples, 0), 10);
    assert.equal(quantile(samples, 1), 40);
    assert.equal(quantile(samples, 0.1), 13);
    assert.deepEqual(samples, [30, 10, 20, 40]);
  });

  it('has no number for no samples', () => {
    assert.ok(Number.isNaN(summarize([]).median));
  });

  it('compares the samples of the same round', () => {
    assert.deepEqual(pairedRatios([2, 9, 5], [1, 3]), [2, 3]);
  });
});

describe('bench: command line', () => {
  const known = ['rank', 'outbox'];

  it('runs everything without a name, and named scenarios in the order of the list', () => {
    assert.deepEqual(parseCli([], known).names, known);
    assert.deepEqual(parseCli(['outbox', 'rank'], known).names, known);
    assert.deepEqual(parseCli(['outbox', '--rounds', '3'], known).rounds, 3);
  });

  it('measures the slow, too, unless told not to', () => {
    assert.equal(parseCli([], known).peers, true);
    assert.equal(parseCli(['--no-peers'], known).peers, false);
  });

  for (const args of [['nope'], ['--nope'], ['--rounds', '0'], ['--rounds', 'x'], ['--rounds']]) {
    it(`refuses ${args.join(' ')} with one line`, () => {
      assert.throws(
        () => parseCli(args, known),
        (error: Error) => {
          return error instanceof UsageError && !error.message.includes('\n');
        },
      );
    });
  }
});

/** A client that settles when it is told to. */
class FakeClient extends EventEmitter {
  readonly callbacks: ((error?: Error) => void)[] = [];

  publish(_topic: string, _payload: string, _options: object, callback: (error?: Error) => void): void {
    this.callbacks.push(callback);
  }

  connack(): void {
    this.emit('packetreceive', { cmd: 'connack' });
  }
}

describe('bench: the publishing application', () => {
  function crashed() {
    const client = new FakeClient();
    const app = new PublishingApp(client as unknown as MqttClient);
    client.connack();
    app.publish();
    client.callbacks[0]?.();
    app.publish();
    client.connack();
    return { client, app };
  }

  it('asks survivors only for what was acknowledged after the crash', async () => {
    const { client, app } = crashed();
    client.callbacks[1]?.();
    await app.recovered();
    await app.settled();
    assert.deepEqual(app.faults(new Set(['message 2'])), []);
    assert.deepEqual(app.faults(new Set()), ['message 2 was acknowledged and is lost']);
  });

  it('reports what was never settled, and what was refused', () => {
    const { client, app } = crashed();
    assert.deepEqual(app.faults(new Set()), ['message 2 was never settled']);
    client.callbacks[1]?.(new Error('why'));
    assert.deepEqual(app.faults(new Set()), ['message 2 was refused: why']);
  });
});
