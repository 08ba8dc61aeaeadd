/**
 * Telling a dead link from a slow one is where a client that fails over does most harm when it is wrong: too slow and
 * messages wait, too eager and a jittery phone hops from broker to broker for ever.
 *
 * World: one `Liveness` under the virtual clock, and a link to a broker whose round trip, acknowledgements and silence
 * the test decides. MQTT.js, its keepalive included, is the test itself.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Packet } from 'mqtt';
import type { Random } from '../../../src/platform/ports.js';
import { Liveness, type LivenessBounds } from '../../../src/session/liveness.js';
import { fixedRandom, SeededRandom } from '../../support/seeded-random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const DEFAULTS: LivenessBounds = { suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 };

interface LinkOptions {
  readonly bounds?: Partial<LivenessBounds>;
  readonly keepalive?: number;
  readonly connackMs?: number;
}

/** A link past CONNACK. By default the broker answers nothing. */
class WatchedLink {
  readonly clock = new VirtualClock();
  readonly liveness: Liveness;
  readonly deaths: { reason: string; text: string; at: number; silentMs: number }[] = [];
  /** What was missing when we asked, and for how many milliseconds. */
  readonly questions: string[] = [];
  /** When PINGREQs left, ours and those of {@link keepalivePing}. */
  readonly pings: number[] = [];
  busy = false;
  /** Milliseconds until PINGRESP; `undefined` keeps it back. */
  pongMs: number | undefined;
  readonly startedAt: number;
  #lastId = 0;

  constructor({ bounds = {}, keepalive = 30, connackMs = 1 }: LinkOptions = {}) {
    this.startedAt = this.clock.now();
    this.liveness = new Liveness({
      clock: this.clock,
      bounds: { ...DEFAULTS, ...bounds },
      keepalive,
      ping: () => this.keepalivePing(),
      busy: () => this.busy,
      asking: (missing, ms) => this.questions.push(`${missing} ${ms}`),
      dead: (reason, text, silentMs) => this.deaths.push({ reason, text, at: this.elapsed, silentMs }),
    });
    this.liveness.start(connackMs);
  }

  /** Milliseconds since CONNACK. */
  get elapsed(): number {
    return this.clock.now() - this.startedAt;
  }

  /** What MQTT.js's keepalive does, and what it does when asked for a ping: it writes PINGREQ. */
  keepalivePing(): void {
    this.pings.push(this.elapsed);
    this.liveness.packetSent({ cmd: 'pingreq' });
    if (this.pongMs !== undefined) this.arrives({ cmd: 'pingresp' }, this.pongMs);
  }

  /** Sends a request that nobody answers unless told to. */
  publish(qos: 0 | 1 | 2 = 1): number {
    this.#lastId += 1;
    const messageId = this.#lastId;
    const publish = { cmd: 'publish', topic: 't', payload: '', qos, dup: false, retain: false } as const;
    this.liveness.packetSent({ ...publish, messageId });
    return messageId;
  }

  subscribe(): number {
    this.#lastId += 1;
    const messageId = this.#lastId;
    this.liveness.packetSent({ cmd: 'subscribe', messageId, subscriptions: [{ topic: 't', qos: 0 }] });
    return messageId;
  }

  /** A whole packet comes in: bytes first, as on a stream. */
  receive(packet: Packet): void {
    this.liveness.received();
    this.liveness.packetReceived(packet);
  }

  arrives(packet: Packet, afterMs: number): void {
    this.clock.setTimeout(() => this.receive(packet), afterMs);
  }

  /** QoS 1 traffic, one message every `everyMs` for `forMs`, each acknowledged after `rttMs`. */
  async traffic(forMs: number, everyMs: number, rttMs: () => number): Promise<void> {
    // A stream keeps the order of its bytes.
    let lastDue = 0;
    for (const end = this.elapsed + forMs; this.elapsed < end; await this.clock.advance(everyMs)) {
      const messageId = this.publish();
      lastDue = Math.max(lastDue, this.elapsed + rttMs());
      this.arrives({ cmd: 'puback', messageId }, lastDue - this.elapsed);
    }
  }

  /** The reason and time of the only death. */
  get death(): { reason: string; at: number } | undefined {
    assert.ok(this.deaths.length <= 1, `died ${this.deaths.length} times`);
    const [death] = this.deaths;
    return death && { reason: death.reason, at: death.at };
  }
}

function jitter(random: Random, base: number, spread: number): () => number {
  return () => base - spread + 2 * spread * random.next();
}

describe('a request without an acknowledgement', () => {
  it('makes the link ask once after suspectAfterMs, and not before', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(999);
    assert.deepEqual(link.pings, []);
    await link.clock.advance(1);
    assert.deepEqual(link.pings, [1_000]);
    await link.clock.advance(999);
    assert.deepEqual([link.pings, link.deaths], [[1_000], []]);
  });

  it('ends the link, once, when not a byte follows the ping within pingTimeoutMs', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(60_000);
    assert.deepEqual(link.death, { reason: 'silent', at: 2_000 });
    assert.match(link.deaths[0]?.text ?? '', /1000 ms/);
    assert.deepEqual([link.questions, link.deaths[0]?.silentMs], [['acknowledgement 1000'], 2_000]);
    assert.deepEqual(link.pings, [1_000]);
  });

  it('follows the deadlines it is given', async () => {
    const link = new WatchedLink({ bounds: { suspectAfterMs: 200, pingTimeoutMs: 3_000 } });
    link.publish();
    await link.clock.advance(10_000);
    assert.deepEqual([link.pings, link.death], [[200], { reason: 'silent', at: 3_200 }]);
  });

  for (const qos of [1, 2] as const) {
    it(`counts for a publish at QoS ${qos}`, async () => {
      const link = new WatchedLink();
      link.publish(qos);
      await link.clock.advance(2_000);
      assert.equal(link.death?.at, 2_000);
    });
  }

  it('counts for SUBSCRIBE and UNSUBSCRIBE', async () => {
    const subscribing = new WatchedLink();
    subscribing.subscribe();
    await subscribing.clock.advance(2_000);
    const leaving = new WatchedLink();
    leaving.liveness.packetSent({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['t'] });
    await leaving.clock.advance(2_000);
    assert.deepEqual([subscribing.death?.at, leaving.death?.at], [2_000, 2_000]);
  });

  it('is not what a publish at QoS 0 is', async () => {
    const link = new WatchedLink();
    link.publish(0);
    await link.clock.advance(120_000);
    assert.deepEqual([link.pings, link.deaths], [[], []]);
  });

  it('counts when it is a PUBREL that was sent again in a resumed session', async () => {
    const link = new WatchedLink();
    link.liveness.packetSent({ cmd: 'pubrel', messageId: 9 });
    await link.clock.advance(5_000);
    assert.deepEqual(link.death, { reason: 'silent', at: 2_000 });
  });

  it('is still missed after the PUBCOMP of a PUBREL from an earlier link', async () => {
    const link = new WatchedLink();
    link.liveness.packetSent({ cmd: 'pubrel', messageId: 9 });
    link.publish();
    link.receive({ cmd: 'pubcomp', messageId: 9 });
    await link.clock.advance(5_000);
    assert.deepEqual(link.death, { reason: 'silent', at: 2_000 });
  });
});

describe('any byte', () => {
  it('answers the ping, be it only the beginning of a packet', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(1_900);
    link.liveness.received();
    await link.clock.advance(900);
    assert.deepEqual(link.deaths, []);
  });

  it('answers one ping only: the next silence is found as the first was', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(1_900);
    link.liveness.received();
    await link.clock.advance(10_000);
    // Suspicion comes after twice the time now: 1900 + 2000, and then the second for the answer.
    assert.deepEqual(link.death, { reason: 'silent', at: 4_900 });
  });

  it('before the ping leaves the acknowledgement overdue', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(500);
    link.liveness.received();
    await link.clock.advance(500);
    assert.deepEqual(link.pings, [1_000]);
  });
});

describe('a link under traffic', () => {
  it('is found dead within 2.1 s of the last byte, by default, whenever it dies', async () => {
    for (let extra = 0; extra < 100; extra += 7) {
      const link = new WatchedLink();
      await link.traffic(3_000 + extra, 100, () => 5);
      const diedAt = link.elapsed;
      const sender = (async () => {
        for (; link.deaths.length === 0 && link.elapsed < 20_000; await link.clock.advance(100))
          link.publish();
      })();
      await sender;
      const took = (link.death?.at ?? Number.NaN) - diedAt;
      assert.ok(took <= 2_100, `dead after ${took} ms`);
    }
  });

  it('is found dead as soon after an hour of idle probes without keepalive', async () => {
    const link = new WatchedLink({ keepalive: 0 });
    link.pongMs = 5;
    await link.clock.advance(3_600_000);
    link.pongMs = undefined;
    const diedAt = link.elapsed;
    link.publish();
    await link.clock.advance(30_000);
    assert.ok((link.death?.at ?? Number.NaN) - diedAt <= 2_100, `dead after ${link.death!.at - diedAt} ms`);
  });

  it('is found dead as soon after it was probed from outside again and again', async () => {
    const link = new WatchedLink();
    link.pongMs = 5;
    for (let n = 0; n < 20; n += 1) {
      link.liveness.probe();
      await link.clock.advance(60_000);
    }
    link.pongMs = undefined;
    const diedAt = link.elapsed;
    link.publish();
    await link.clock.advance(30_000);
    assert.ok((link.death?.at ?? Number.NaN) - diedAt <= 2_100, `dead after ${link.death!.at - diedAt} ms`);
  });

  it('is neither asked nor ended while acknowledgements come in time', async () => {
    const link = new WatchedLink();
    await link.traffic(600_000, 50, () => 40);
    assert.deepEqual([link.pings, link.deaths], [[], []]);
  });

  it('outlives ten minutes of a round trip of 300 ± 250 ms, with few pings', async () => {
    const link = new WatchedLink({ connackMs: 300 });
    const rtt = jitter(new SeededRandom(7), 300, 250);
    link.pongMs = 550;
    await link.traffic(600_000, 100, rtt);
    assert.deepEqual(link.deaths, []);
    assert.ok(link.pings.length <= 10, `${link.pings.length} pings`);
  });

  for (const [base, spread] of [
    [900, 800],
    [2_500, 1_500],
    [4_000, 3_900],
  ] as const) {
    it(`outlives ten minutes of a round trip of ${base} ± ${spread} ms, slower than both floors`, async () => {
      const link = new WatchedLink({ connackMs: base });
      const random = new SeededRandom(11);
      const rtt = jitter(random, base, spread);
      const pong = jitter(random, base, spread);
      const ping = link.keepalivePing.bind(link);
      link.keepalivePing = () => {
        link.pongMs = pong();
        ping();
      };
      await link.traffic(600_000, 250, rtt);
      assert.deepEqual(link.deaths, []);
      assert.ok(link.pings.length <= 60, `${link.pings.length} pings in ten minutes`);
    });
  }

  it('asks for hardly one in a hundred of lone messages on a round trip of 1500 ± 1000 ms', async () => {
    const link = new WatchedLink({ connackMs: 1_500 });
    link.pongMs = 1_500;
    await link.traffic(5_000_000, 5_000, jitter(new SeededRandom(23), 1_500, 1_000));
    assert.deepEqual(link.deaths, []);
    assert.ok(link.pings.length <= 10, `${link.pings.length} pings for 1000 messages`);
  });

  it('gives a slow link longer, up to maxMs for each deadline', async () => {
    const link = new WatchedLink({ connackMs: 60_000 });
    link.publish();
    await link.clock.advance(60_000);
    assert.deepEqual([link.pings, link.death], [[10_000], { reason: 'silent', at: 20_000 }]);
  });

  it('learns a link that has become fast', async () => {
    const link = new WatchedLink({ connackMs: 3_000 });
    await link.traffic(20_000, 100, () => 20);
    const diedAt = link.elapsed;
    link.publish();
    await link.clock.advance(30_000);
    assert.equal((link.death?.at ?? 0) - diedAt, 2_000);
  });

  it('knows its round trip from acknowledgements, and from pings', async () => {
    const link = new WatchedLink({ connackMs: 80 });
    assert.equal(link.liveness.roundTripMs, 80);
    await link.traffic(20_000, 100, () => 20);
    assert.ok(Math.abs((link.liveness.roundTripMs ?? 0) - 20) < 1, `${link.liveness.roundTripMs}`);
    link.pongMs = 100;
    for (let n = 0; n < 100; n += 1) {
      link.keepalivePing();
      await link.clock.advance(1_000);
    }
    assert.ok(Math.abs((link.liveness.roundTripMs ?? 0) - 100) < 1, `${link.liveness.roundTripMs}`);
  });
});

describe('QoS 2', () => {
  it('goes on with PUBREC, which is progress and no end', async () => {
    const link = new WatchedLink();
    const messageId = link.publish(2);
    await link.clock.advance(800);
    link.receive({ cmd: 'pubrec', messageId });
    link.liveness.packetSent({ cmd: 'pubrel', messageId });
    await link.clock.advance(999);
    assert.deepEqual(link.pings, []);
    await link.clock.advance(1);
    assert.deepEqual(link.pings, [1_800]);
  });

  it('is settled by PUBCOMP', async () => {
    const link = new WatchedLink();
    const messageId = link.publish(2);
    link.receive({ cmd: 'pubrec', messageId });
    link.liveness.packetSent({ cmd: 'pubrel', messageId });
    link.receive({ cmd: 'pubcomp', messageId });
    await link.clock.advance(120_000);
    assert.deepEqual([link.pings, link.deaths], [[], []]);
  });

  it('is settled by a PUBREC that refuses', async () => {
    const link = new WatchedLink();
    link.receive({ cmd: 'pubrec', messageId: link.publish(2), reasonCode: 0x97 });
    await link.clock.advance(120_000);
    assert.deepEqual([link.pings, link.deaths], [[], []]);
  });

  it('keeps its request when another one is settled', async () => {
    const link = new WatchedLink();
    link.publish(2);
    link.receive({ cmd: 'puback', messageId: link.publish(1) });
    await link.clock.advance(5_000);
    assert.equal(link.death?.at, 2_000);
  });
});

describe('an idle link', () => {
  it('arms nothing of its own while MQTT.js keeps it alive', async () => {
    const link = new WatchedLink({ keepalive: 30 });
    link.pongMs = 20;
    await link.clock.advance(600_000);
    assert.deepEqual([link.pings, link.deaths], [[], []]);
  });

  it("has ten seconds for the answer to MQTT's keepalive ping", async () => {
    const link = new WatchedLink();
    await link.clock.advance(30_000);
    link.keepalivePing();
    await link.clock.advance(9_999);
    assert.deepEqual(link.deaths, []);
    await link.clock.advance(1);
    assert.deepEqual(link.death, { reason: 'silent', at: 40_000 });
  });

  it('has less when somebody begins to wait: a request tightens the deadline of the open ping', async () => {
    const link = new WatchedLink();
    await link.clock.advance(30_000);
    link.keepalivePing();
    await link.clock.advance(3_000);
    link.publish();
    await link.clock.advance(999);
    assert.deepEqual(link.deaths, []);
    await link.clock.advance(1);
    assert.deepEqual(link.death, { reason: 'silent', at: 34_000 });
    assert.equal(link.pings.length, 1);
  });

  it('is not tightened again and again by further requests', async () => {
    const link = new WatchedLink();
    link.keepalivePing();
    for (let n = 0; n < 20; n += 1) {
      link.publish();
      await link.clock.advance(100);
    }
    assert.deepEqual(link.death, { reason: 'silent', at: 1_000 });
  });

  it('without keepalive is probed every 60 s', async () => {
    const link = new WatchedLink({ keepalive: 0 });
    link.pongMs = 20;
    await link.clock.advance(300_000);
    assert.deepEqual(link.pings, [60_000, 120_020, 180_040, 240_060]);
    assert.deepEqual(link.deaths, []);
  });

  it('without keepalive is found dead 70 s after its last sign of life', async () => {
    const link = new WatchedLink({ keepalive: 0 });
    await link.clock.advance(300_000);
    assert.deepEqual([link.pings, link.death], [[60_000], { reason: 'silent', at: 70_000 }]);
  });

  it('without keepalive is not probed while acknowledgements come, and again once they stop', async () => {
    const link = new WatchedLink({ keepalive: 0 });
    link.pongMs = 20;
    await link.traffic(200_000, 1_000, () => 30);
    assert.deepEqual(link.pings, []);
    await link.clock.advance(60_100);
    assert.equal(link.pings.length, 1);
  });
});

describe('a broker that answers pings but acknowledges nothing', () => {
  it('is stalled after 60 s, and not before', async () => {
    const link = new WatchedLink();
    link.pongMs = 10;
    link.publish();
    await link.clock.advance(59_999);
    assert.deepEqual(link.deaths, []);
    await link.clock.advance(11_000);
    assert.equal(link.death?.reason, 'stalled');
    assert.ok((link.death?.at ?? 0) <= 71_000, `${link.death?.at}`);
  });

  it('is asked at growing intervals, up to maxMs', async () => {
    const link = new WatchedLink();
    link.pongMs = 0;
    link.publish();
    await link.clock.advance(55_000);
    const gaps = link.pings.map((at, n) => at - (link.pings[n - 1] ?? 0));
    assert.deepEqual(gaps, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000]);
  });

  it('is asked after suspectAfterMs again once it has acknowledged something', async () => {
    const link = new WatchedLink();
    link.pongMs = 0;
    link.publish();
    await link.clock.advance(20_000);
    link.receive({ cmd: 'puback', messageId: link.publish() });
    const { length } = link.pings;
    await link.clock.advance(1_000);
    assert.deepEqual(link.pings.slice(length), [21_000]);
  });

  it('is not stalled while any of many requests is acknowledged', async () => {
    const link = new WatchedLink();
    link.pongMs = 10;
    link.publish();
    for (let n = 0; n < 20; n += 1) {
      link.arrives({ cmd: 'puback', messageId: link.publish() }, 9_000);
      await link.clock.advance(10_000);
    }
    assert.deepEqual(link.deaths, []);
  });
});

describe('what makes the client itself deaf', () => {
  it('a handler that holds received bytes back is no silence, however long', async () => {
    const link = new WatchedLink();
    link.publish();
    link.busy = true;
    await link.clock.advance(50_000);
    assert.deepEqual(link.deaths, []);
  });

  it('a handler that has just returned gives the broker its time: what is unread counts', async () => {
    const link = new WatchedLink();
    const messageId = link.publish();
    await link.clock.advance(1_500);
    link.busy = true;
    // The check at 4000 ms comes upon a handler that is done and bytes that are not read yet.
    link.clock.setTimeout(() => {
      link.busy = false;
    }, 2_490);
    link.arrives({ cmd: 'puback', messageId }, 2_510);
    await link.clock.advance(10_000);
    assert.deepEqual(link.deaths, []);
  });

  it('a handler that held for more than a minute is no stalled broker', async () => {
    const link = new WatchedLink();
    link.pongMs = 10;
    const messageId = link.publish();
    await link.clock.advance(500);
    link.busy = true;
    await link.clock.advance(70_000);
    link.busy = false;
    link.arrives({ cmd: 'puback', messageId }, 2_500);
    await link.clock.advance(10_000);
    assert.deepEqual(link.deaths, []);
  });

  it('a link that is dead is found dead after the handler has returned', async () => {
    const link = new WatchedLink();
    link.publish();
    link.busy = true;
    await link.clock.advance(10_000);
    link.busy = false;
    await link.clock.advance(5_000);
    assert.equal(link.death?.reason, 'silent');
  });

  it('a timer that comes late asks again instead of killing', async () => {
    const link = new WatchedLink();
    const messageId = link.publish();
    await link.clock.advance(1_000);
    assert.deepEqual(link.pings, [1_000]);
    link.clock.sleep(30_000);
    await link.clock.advance(0);
    assert.deepEqual([link.pings, link.deaths], [[1_000, 31_000], []]);
    link.receive({ cmd: 'puback', messageId });
    await link.clock.advance(30_000);
    assert.deepEqual(link.deaths, []);
  });

  it('a link that died meanwhile is found one deadline after the late timer', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(1_000);
    link.clock.sleep(30_000);
    await link.clock.advance(10_000);
    assert.deepEqual(link.death, { reason: 'silent', at: 32_000 });
  });

  it('a minute away does not make the broker stalled', async () => {
    const link = new WatchedLink();
    link.pongMs = 10;
    const messageId = link.publish();
    await link.clock.advance(500);
    link.clock.sleep(120_000);
    link.arrives({ cmd: 'puback', messageId }, 2_500);
    await link.clock.advance(10_000);
    assert.deepEqual(link.deaths, []);
  });

  it('timers that always come a second late do not end a link that answers', async () => {
    const link = new WatchedLink();
    for (let n = 0; n < 300; n += 1) {
      const messageId = link.publish();
      await link.clock.advance(100);
      link.clock.sleep(1_500);
      // The timers' phase runs before sockets are read.
      await link.clock.advance(0);
      link.receive({ cmd: 'puback', messageId });
    }
    assert.deepEqual(link.deaths, []);
  });
});

describe('a jump of the clocks', () => {
  for (const { name, jump } of [
    { name: 'two hours of sleep', jump: (clock: VirtualClock) => clock.sleep(7_200_000) },
    {
      name: 'a wall clock that goes a day ahead',
      jump: (clock: VirtualClock) => clock.shiftWall(86_400_000),
    },
    { name: 'a sleep that only the wall clock saw', jump: (clock: VirtualClock) => clock.shiftWall(11_000) },
  ]) {
    it(`probes the link within 5 s: ${name}`, async () => {
      const link = new WatchedLink();
      await link.clock.advance(61_000);
      const before = link.elapsed;
      jump(link.clock);
      const woke = link.elapsed;
      await link.clock.advance(5_000);
      assert.equal(link.pings.length, 1);
      assert.ok((link.pings[0] ?? 0) - woke <= 5_000 && woke >= before);
    });

    it(`leaves a link that answers alone: ${name}`, async () => {
      const link = new WatchedLink();
      link.pongMs = 50;
      await link.clock.advance(61_000);
      jump(link.clock);
      await link.clock.advance(60_000);
      assert.deepEqual(link.deaths, []);
      assert.equal(link.pings.length, 1);
    });

    it(`ends a link that is gone, within 15 s: ${name}`, async () => {
      const link = new WatchedLink();
      await link.clock.advance(61_000);
      jump(link.clock);
      const woke = link.elapsed;
      await link.clock.advance(60_000);
      assert.equal(link.death?.reason, 'silent');
      assert.ok((link.death?.at ?? Number.NaN) - woke <= 15_000);
    });
  }

  it('of the wall clock by a day backwards ends nothing', async () => {
    const link = new WatchedLink();
    link.pongMs = 50;
    await link.clock.advance(61_000);
    link.clock.shiftWall(-86_400_000);
    await link.clock.advance(60_000);
    assert.deepEqual(link.deaths, []);
  });

  it('of a few seconds asks nothing', async () => {
    const link = new WatchedLink();
    await link.clock.advance(61_000);
    link.clock.shiftWall(9_000);
    await link.clock.advance(60_000);
    assert.deepEqual(link.pings, []);
  });
});

describe('probe', () => {
  it('asks at once, and not a second time while the answer is out', async () => {
    const link = new WatchedLink();
    link.liveness.probe();
    link.liveness.probe();
    assert.deepEqual(link.pings, [0]);
    link.receive({ cmd: 'pingresp' });
    link.liveness.probe();
    assert.equal(link.pings.length, 2);
  });
});

describe('a stopped watch', () => {
  it('leaves no timer, whatever it waited for', async () => {
    const situations: ((link: WatchedLink) => void)[] = [
      () => {},
      (link) => link.publish(),
      (link) => link.keepalivePing(),
      (link) => {
        link.publish();
        link.keepalivePing();
      },
      (link) => link.liveness.probe(),
    ];
    for (const situation of situations) {
      for (const keepalive of [0, 30]) {
        const link = new WatchedLink({ keepalive });
        situation(link);
        link.liveness.stop();
        assert.equal(link.clock.pending, 0);
      }
    }
  });

  it('stays stopped, whatever MQTT.js still says', async () => {
    const link = new WatchedLink();
    link.liveness.stop();
    link.liveness.packetSent({ cmd: 'pingreq' });
    link.publish();
    link.receive({ cmd: 'puback', messageId: 1 });
    link.liveness.probe();
    assert.equal(link.clock.pending, 0);
    await link.clock.advance(120_000);
    assert.deepEqual(link.deaths, []);
  });

  it('is what a dead link leaves behind', async () => {
    const link = new WatchedLink();
    link.publish();
    await link.clock.advance(2_000);
    assert.equal(link.deaths.length, 1);
    assert.equal(link.clock.pending, 0);
  });

  it('can be stopped from within the ping it sends', async () => {
    const link = new WatchedLink();
    link.keepalivePing = () => link.liveness.stop();
    link.publish();
    await link.clock.advance(1_000);
    assert.equal(link.clock.pending, 0);
  });
});

describe('any pattern of answers', () => {
  it('never ends a link of which a byte arrives at least every 900 ms after each ping', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = new SeededRandom(seed);
      const link = new WatchedLink();
      link.pongMs = 900 * random.next();
      await link.traffic(30_000, 20 + 500 * random.next(), () => 900 * random.next());
      assert.deepEqual(link.deaths, [], `seed ${seed}`);
    }
  });

  it('takes the draw of every jitter at its ends as well', async () => {
    for (const end of [0, 0.999_999]) {
      const link = new WatchedLink();
      link.pongMs = 550;
      await link.traffic(60_000, 100, jitter(fixedRandom(end), 300, 250));
      assert.deepEqual(link.deaths, []);
    }
  });
});

describe('timers that are a minute late, as in a hidden tab', () => {
  /** Every timer fires at the next full minute; what arrives is heard at once. */
  async function minutes(link: WatchedLink, count: number, each: (minute: number) => void = () => {}) {
    for (let minute = 0; minute < count && link.deaths.length === 0; minute += 1) {
      each(minute);
      link.clock.sleep(60_000);
      await link.clock.advance(0);
    }
  }

  it('cost no link whose broker answers, idle or under traffic', async () => {
    for (const traffic of [false, true]) {
      const link = new WatchedLink();
      const answer = () => link.liveness.received();
      await minutes(link, 60, () => {
        link.keepalivePing();
        answer();
        if (!traffic) return;
        const messageId = link.publish();
        answer();
        link.liveness.packetReceived({ cmd: 'puback', messageId });
      });
      assert.deepEqual(link.deaths, []);
    }
  });

  it('do not keep a link whose broker is silent', async () => {
    const link = new WatchedLink();
    link.publish();
    await minutes(link, 10);
    assert.deepEqual(
      link.deaths.map(({ reason }) => reason),
      ['silent'],
    );
    assert.ok((link.deaths[0]?.at ?? 0) <= 5 * 60_000, `${link.deaths[0]?.at}`);
  });
});

describe('a probe with a deadline of its own', () => {
  it('is death after that time, and not before', async () => {
    const link = new WatchedLink();
    link.liveness.probe(5_000);
    await link.clock.advance(4_999);
    assert.deepEqual(link.deaths, []);
    await link.clock.advance(2);
    assert.equal(link.deaths.length, 1);
  });

  it('is not shortened by traffic that begins meanwhile', async () => {
    const link = new WatchedLink();
    link.liveness.probe(5_000);
    link.publish();
    await link.clock.advance(4_999);
    assert.deepEqual(link.deaths, []);
  });

  it('gives a question that runs no more time, however often it is asked', async () => {
    const link = new WatchedLink();
    link.keepalivePing();
    for (let n = 0; n < 20 && link.deaths.length === 0; n += 1) {
      link.liveness.probe(5_000);
      await link.clock.advance(1_000);
    }
    assert.ok((link.deaths[0]?.at ?? Number.POSITIVE_INFINITY) <= 6_000, `${link.deaths[0]?.at}`);
    assert.equal(link.pings.length, 1);
  });

  it('asks again what was asked before the page slept', async () => {
    const link = new WatchedLink();
    link.keepalivePing();
    link.clock.sleep(3_600_000);
    link.pongMs = 50;
    link.liveness.probe(5_000);
    assert.equal(link.pings.length, 2);
    await link.clock.advance(60_000);
    assert.deepEqual(link.deaths, []);
  });
});
