/**
 * A subscriber that never publishes has nothing to be acknowledged: that its broker hangs shows in what does not come.
 *
 * World: one `Liveness` under the virtual clock, and a broker that sends messages, answers pings, or has died.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Random } from '../../../src/platform/ports.js';
import { Liveness } from '../../../src/session/liveness.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

class Subscriber {
  readonly clock = new VirtualClock();
  readonly pings: number[] = [];
  readonly deaths: number[] = [];
  /** What was missing when we asked, and for how many milliseconds. */
  readonly questions: string[] = [];
  isAlive = true;
  readonly #liveness: Liveness;
  readonly #startedAt = this.clock.now();

  constructor(keepalive = 30) {
    this.#liveness = new Liveness({
      clock: this.clock,
      bounds: { suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 },
      keepalive,
      ping: () => this.ping(),
      busy: () => false,
      asking: (missing, ms) => this.questions.push(`${missing} ${Math.round(ms)}`),
      dead: () => this.deaths.push(this.elapsed),
    });
    this.#liveness.start(1);
  }

  get elapsed(): number {
    return this.clock.now() - this.#startedAt;
  }

  ping(): void {
    this.pings.push(this.elapsed);
    this.#liveness.packetSent({ cmd: 'pingreq' });
    if (!this.isAlive) return;
    this.clock.setTimeout(() => {
      this.#liveness.received();
      this.#liveness.packetReceived({ cmd: 'pingresp' });
    }, 5);
  }

  message(): void {
    this.#liveness.received();
    this.#liveness.packetReceived({
      cmd: 'publish',
      topic: 't',
      payload: '',
      qos: 0,
      dup: false,
      retain: false,
    });
  }

  async flow(forMs: number, gapMs: () => number): Promise<void> {
    for (const end = this.elapsed + forMs; this.elapsed < end; await this.clock.advance(gapMs()))
      this.message();
  }
}

const jitter = (random: Random, base: number, spread: number) => () =>
  base - spread + 2 * spread * random.next();

describe('a subscriber', () => {
  it('finds a broker that hangs as soon as a publisher does, when a steady flow stops', async () => {
    for (const gapMs of [1, 10, 100, 200]) {
      const link = new Subscriber();
      await link.flow(5_000, () => gapMs);
      link.isAlive = false;
      const diedAt = link.elapsed;
      await link.clock.advance(30_000);
      assert.equal(link.deaths.length, 1);
      assert.ok(link.deaths[0]! - diedAt <= 2_000, `flow every ${gapMs} ms: ${link.deaths[0]! - diedAt} ms`);
      assert.deepEqual(link.questions, ['message 1000']);
    }
  });

  it('follows the pace of a slower flow', async () => {
    const link = new Subscriber();
    await link.flow(120_000, jitter(new SeededRandom(3), 2_000, 100));
    link.isAlive = false;
    const diedAt = link.elapsed;
    await link.clock.advance(30_000);
    assert.deepEqual(link.deaths.length, 1);
    assert.ok(link.deaths[0]! - diedAt <= 4_000, `${link.deaths[0]! - diedAt} ms`);
  });

  it('is no later when the keepalive ping has just left', async () => {
    const link = new Subscriber();
    await link.flow(5_000, () => 10);
    link.isAlive = false;
    const diedAt = link.elapsed;
    link.ping();
    await link.clock.advance(30_000);
    assert.ok(link.deaths[0]! - diedAt <= 2_000, `${link.deaths[0]! - diedAt} ms`);
  });

  it('asks once when the flow stops at a broker that lives, and not again until there is another', async () => {
    const link = new Subscriber();
    await link.flow(5_000, () => 10);
    await link.clock.advance(600_000);
    assert.deepEqual([link.pings.length, link.deaths.length], [1, 0]);
    await link.flow(5_000, () => 10);
    await link.clock.advance(60_000);
    assert.deepEqual([link.pings.length, link.deaths.length], [2, 0]);
  });

  it('does not miss what never was a flow: a handful of retained messages, or one message now and then', async () => {
    const retained = new Subscriber();
    await retained.flow(500, () => 1);
    await retained.clock.advance(600_000);
    const rare = new Subscriber();
    await rare.flow(3_600_000, () => 15_000);
    assert.deepEqual([retained.pings, rare.pings], [[], []]);
  });

  it('asks at most a few times a minute about a topic that comes in bursts', async () => {
    const link = new Subscriber();
    for (let burst = 0; burst < 200; burst += 1) {
      await link.flow(2_000, () => 20);
      await link.clock.advance(4_000);
    }
    const minutes = link.elapsed / 60_000;
    assert.ok(link.pings.length / minutes <= 4, `${link.pings.length} pings in ${minutes} minutes`);
    assert.deepEqual(link.deaths, []);
  });

  it('hardly ever asks about messages that follow each other at random, and never loses the link', async () => {
    for (const [base, spread] of [
      [100, 90],
      [600, 590],
      [2_000, 1_500],
    ] as const) {
      const link = new Subscriber();
      await link.flow(600_000, jitter(new SeededRandom(base), base, spread));
      assert.ok(link.pings.length <= 10, `${base} ± ${spread} ms: ${link.pings.length} pings in ten minutes`);
      assert.deepEqual(link.deaths, []);
    }
  });
});
