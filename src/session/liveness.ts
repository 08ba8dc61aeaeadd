/**
 * Tells a dead link from a slow one.
 *
 * A late acknowledgement makes us ask (PINGREQ), and so does a flow of messages that stops; only silence after asking is
 * death. Deadlines follow the link's own round trip (RFC 6298), and the flow's own pace: about two seconds on a LAN with
 * traffic in either direction, as long as it needs on a jittery mobile link. Any byte is a sign of life. Idle links are asked by MQTT's keepalive. What makes us deaf ourselves, a slow handler of
 * the application, a blocked event loop or a sleeping machine, never counts against the link (R155–R157, R162).
 */
import type { Packet } from 'mqtt';
import type { Clock } from '../platform/ports.js';
import { Alarm } from './alarm.js';
import { Inflow } from './inflow.js';
import { RoundTrip } from './round-trip.js';
import { watchSleep } from './sleep-watch.js';

/** See `LivenessOptions`. */
export interface LivenessBounds {
  readonly suspectAfterMs: number;
  readonly pingTimeoutMs: number;
  readonly maxMs: number;
}

export interface LivenessDeps {
  readonly clock: Clock;
  readonly bounds: LivenessBounds;
  /** Seconds; 0 means that MQTT sends no pings of its own. */
  readonly keepalive: number;
  /** Sends PINGREQ. */
  readonly ping: () => void;
  /** Whether received bytes wait for a handler of the application. */
  readonly busy: () => boolean;
  /** What somebody waits for has not come for `ms`, and a ping has been sent to find out. */
  readonly asking: (missing: 'acknowledgement' | 'message', ms: number) => void;
  /** The link is dead, for the reason given, `ms` after it stopped to answer. Called once. */
  readonly dead: (reason: 'silent' | 'stalled', text: string, ms: number) => void;
}

/** Milliseconds that the answer to an idle link's keepalive ping may take (D8). */
export const IDLE_PING_TIMEOUT_MS = 10_000;
/** Milliseconds between our own pings when the application has switched keepalive off (R157). */
const IDLE_PROBE_MS = 60_000;
/** Milliseconds without any acknowledgement of what is outstanding, though the broker answers pings (R156). */
const STALLED_MS = 60_000;
/** Milliseconds that a timer may be late before it says more about us than about the link. */
const LATE_MS = 250;
/** Pings in a row whose deadline we noticed late, and that no byte has followed: the next one is the last (R161). */
const EXCUSES = 2;

/** Acknowledgements that settle a request; PUBREC only moves it on. */
const SETTLING: ReadonlySet<string> = new Set(['puback', 'pubcomp', 'suback', 'unsuback']);
/** Packets that wait for one. A PUBREL that is sent again in a resumed session does too, without its PUBLISH. */
const REQUESTS: ReadonlySet<string> = new Set(['subscribe', 'unsubscribe', 'pubrel']);

/** A PINGREQ, and when a byte must have followed it. An idle one is that of a link on which nobody waits for anything. */
interface Question {
  readonly at: number;
  readonly due: number;
  readonly idle: boolean;
}

/** Watches one link from CONNACK to its end. */
export class Liveness {
  readonly #deps: LivenessDeps;
  readonly #roundTrip = new RoundTrip();
  readonly #inflow: Inflow;
  #running = false;
  /** Packet ids of requests without a final acknowledgement. */
  readonly #outstanding = new Set<number>();
  /** The one request that is timed, as TCP does; its acknowledgement is a sample. */
  #timed: { readonly id: number; readonly at: number } | undefined;
  #progressAt = 0;
  /** Since when an answered ping has pushed suspicion off, though there was no acknowledgement. */
  #suspicionFrom = 0;
  #suspicions = 0;
  /** Whether a handler of the application has kept us from reading. */
  #wasBusy = false;
  /** The PINGREQ that no byte has followed yet. */
  #asked: Question | undefined;
  /** How often in a row an unanswered ping was put down to our own lateness. */
  #excuses = 0;
  #pingAt: number | undefined;
  readonly #alarm: Alarm;
  #endSleepWatch: (() => void) | undefined;

  constructor(deps: LivenessDeps) {
    this.#deps = deps;
    this.#inflow = new Inflow(deps.bounds);
    this.#alarm = new Alarm(deps.clock, (due) => this.#check(due));
  }

  /** The link's smoothed round trip in milliseconds, once known. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip.smoothedMs;
  }

  /** CONNACK is there; how long it took is the first sample. */
  start(connackMs: number): void {
    this.#running = true;
    this.#roundTrip.sample(connackMs);
    this.#progressed();
    this.#endSleepWatch = watchSleep(this.#deps.clock, () => this.probe());
    if (this.#deps.keepalive === 0) this.#alarm.set(this.#deps.clock.now() + IDLE_PROBE_MS);
  }

  /** The link is gone. */
  stop(): void {
    this.#running = false;
    this.#alarm.clear();
    this.#endSleepWatch?.();
  }

  /** MQTT.js writes a packet. */
  packetSent(packet: Packet): void {
    if (!this.#running) return;
    const { cmd } = packet;
    if (cmd === 'pingreq') this.#pinged();
    else if (cmd === 'publish' ? packet.qos > 0 : REQUESTS.has(cmd))
      this.#requested(packet.messageId as number);
  }

  /** MQTT.js received a packet. */
  packetReceived(packet: Packet): void {
    if (!this.#running) return;
    const { cmd } = packet;
    if (cmd === 'pingresp') {
      if (this.#pingAt !== undefined) this.#roundTrip.sample(this.#deps.clock.now() - this.#pingAt);
      this.#pingAt = undefined;
      return;
    }
    if (cmd === 'publish') {
      this.#inflow.heard(this.#deps.clock.now());
      this.#watchInflow();
      return;
    }
    const settles = SETTLING.has(cmd) || (cmd === 'pubrec' && (packet.reasonCode ?? 0) >= 0x80);
    if (!settles && cmd !== 'pubrec') return;
    if (settles) this.#outstanding.delete(packet.messageId as number);
    this.#progressed();
    if (this.#outstanding.size > 0) this.#alarm.setBy(this.#progressAt + this.#suspectAfterMs());
    if (this.#timed?.id !== packet.messageId) return;
    this.#roundTrip.sample(this.#progressAt - (this.#timed as { at: number }).at);
    this.#timed = undefined;
  }

  /** Bytes came in, whatever they are. */
  received(): void {
    if (!this.#asked) return;
    this.#asked = undefined;
    this.#excuses = 0;
    this.#suspicionFrom = this.#deps.clock.now();
  }

  /**
   * Asks the link now whether it lives: after sleep, or when the network came back.
   *
   * A question whose time is up is asked again: its answer may have come while nobody could hear it. One that still
   * runs is only given less time.
   *
   * @param timeoutMs - Milliseconds for the answer; left out, as for any other ping.
   */
  probe(timeoutMs?: number): void {
    if (!this.#running) return;
    const now = this.#deps.clock.now();
    const runs = this.#asked !== undefined && now < this.#asked.due;
    if (!runs) {
      this.#asked = undefined;
      this.#deps.ping();
    }
    if (timeoutMs === undefined || !this.#asked) return;
    const { at, due } = this.#asked;
    // Traffic that begins now shortens it no further: a radio that wakes up takes its time.
    this.#expect({ at, due: runs ? Math.min(due, now + timeoutMs) : now + timeoutMs, idle: false });
  }

  #requested(id: number): void {
    const now = this.#deps.clock.now();
    if (this.#outstanding.size === 0) {
      this.#progressAt = now;
      this.#suspicionFrom = now;
    }
    this.#outstanding.add(id);
    this.#timed ??= { id, at: now };
    // An idle ping had plenty of time; now somebody waits.
    if (this.#asked?.idle) this.#expectAnswer(now, false);
    this.#alarm.setBy(now + this.#suspectAfterMs());
  }

  #progressed(): void {
    this.#progressAt = this.#deps.clock.now();
    this.#suspicionFrom = this.#progressAt;
    this.#suspicions = 0;
  }

  /** Doubled by every ping that was answered without an acknowledgement, so that a slow broker is not nagged. */
  #suspectAfterMs(): number {
    const { suspectAfterMs, maxMs } = this.#deps.bounds;
    return Math.min(maxMs, this.#roundTrip.timeoutMs(suspectAfterMs, maxMs) * 2 ** this.#suspicions);
  }

  /** A PINGREQ leaves, ours or that of MQTT.js's keepalive. */
  #pinged(): void {
    this.#pingAt = this.#deps.clock.now();
    if (!this.#asked) this.#expectAnswer(this.#pingAt, this.#outstanding.size === 0);
  }

  #expectAnswer(now: number, idle: boolean): void {
    const { pingTimeoutMs, maxMs } = this.#deps.bounds;
    const timeoutMs = idle ? IDLE_PING_TIMEOUT_MS : this.#roundTrip.timeoutMs(pingTimeoutMs, maxMs);
    this.#expect({ at: now, due: now + timeoutMs, idle });
    this.#watchInflow();
  }

  #expect(asked: Question): void {
    this.#asked = asked;
    this.#alarm.set(asked.due);
  }

  #check(due: number): void {
    const now = this.#deps.clock.now();
    if (this.#deps.busy()) {
      this.#wasBusy = true;
      this.#alarm.set(now + this.#deps.bounds.pingTimeoutMs);
      return;
    }
    if (this.#wasBusy || now - due > LATE_MS) {
      // We were deaf: what the broker sent meanwhile is still unread. Ask, and start to count from here. But timers
      // that are always late, as in a hidden tab, must not keep a dead link for ever.
      if (this.#asked && !this.#wasBusy) {
        this.#excuses += 1;
        if (this.#excuses > EXCUSES) {
          this.#die('silent', `no byte after ${this.#excuses} pings in a row`);
          return;
        }
      }
      this.#wasBusy = false;
      this.#asked = undefined;
      this.#progressed();
      this.#deps.ping();
      return;
    }
    if (now >= (this.#inflow.lateAt ?? Number.POSITIVE_INFINITY)) this.#missMessages(now);
    else if (this.#asked) this.#checkAnswer(this.#asked, now);
    else if (this.#outstanding.size > 0) this.#checkProgress(now);
    else if (this.#deps.keepalive === 0) this.#probeIdle(now);
    if (this.#running) this.#watchInflow();
  }

  /** A message is late: somebody waits for it, as for an acknowledgement. */
  #missMessages(now: number): void {
    const silentMs = this.#inflow.asked(now);
    if (!this.#asked) this.#deps.ping();
    // A keepalive ping had plenty of time.
    if (this.#asked?.idle) this.#expectAnswer(now, false);
    else if (this.#asked) this.#alarm.setBy(this.#asked.due);
    this.#deps.asking('message', silentMs);
  }

  #watchInflow(): void {
    const { lateAt } = this.#inflow;
    if (lateAt !== undefined) this.#alarm.setBy(lateAt);
  }

  #checkAnswer({ at, due }: Question, now: number): void {
    if (now < due) this.#alarm.set(due);
    else this.#die('silent', `no byte for ${Math.round(due - at)} ms after a ping`);
  }

  #checkProgress(now: number): void {
    if (now - this.#progressAt >= STALLED_MS) {
      this.#die('stalled', `no acknowledgement for ${STALLED_MS} ms, though pings are answered`);
      return;
    }
    const due = this.#suspicionFrom + this.#suspectAfterMs();
    if (now < due) {
      this.#alarm.set(due);
      return;
    }
    this.#suspicions += 1;
    this.#deps.ping();
    this.#deps.asking('acknowledgement', now - this.#progressAt);
  }

  /** Without MQTT's keepalive nobody else asks. */
  #probeIdle(now: number): void {
    const due = Math.max(this.#progressAt, this.#pingAt ?? this.#suspicionFrom) + IDLE_PROBE_MS;
    if (now < due) this.#alarm.set(due);
    else this.#deps.ping();
  }

  #die(reason: 'silent' | 'stalled', text: string): void {
    const since = this.#outstanding.size > 0 ? this.#progressAt : (this.#asked?.at ?? this.#progressAt);
    this.stop();
    this.#deps.dead(reason, text, this.#deps.clock.now() - since);
  }
}
