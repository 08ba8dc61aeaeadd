/**
 * Fleets of a few hundred clients, whole: the library itself on a virtual clock, with modelled brokers.
 *
 * What is asked of a hundred thousand is measured by `npm run bench -- simulator`; here it is seen that each scenario does
 * what its name says, that figures mean what they are said to mean, and that others' clients come out otherwise.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  POLICIES,
  SCENARIO_NAMES,
  type Simulation,
  type SimulationOptions,
  simulate,
} from '../../../src/simulator/index.js';

const CLIENTS = 120;
const fleet = (scenario: SimulationOptions['scenario'], options: Partial<SimulationOptions> = {}) =>
  simulate({ scenario, clients: CLIENTS, ...options });

/** Clients on each node at the end. */
const loadsOf = ({ timeline }: Simulation) => timeline.placement.at(-1) ?? [];
const sumOf = (loads: readonly number[]) => loads.reduce((sum, load) => sum + load, 0);
const connectsOf = ({ timeline }: Simulation) => sumOf(timeline.connects);

describe('a fleet of this library', () => {
  it('loses a node: its clients alone go, once each, spread as wide as the list asks', async () => {
    const run = await fleet('node-dies', { spreadMs: 10_000 });
    const { report, affected, timeline } = run;
    assert.equal(affected, timeline.placement[0]?.[0]);
    assert.equal(connectsOf(run), affected);
    assert.equal(report.attemptsPerClient, 1);
    // The dead node itself is asked, too: nothing told them that it is dead.
    assert.equal(run.dialsPerClient, 2);
    assert.equal(report.needlessMoves, 0);
    assert.equal(run.unrecovered, 0);
    assert.ok(report.recoverP50Ms > 3_000 && report.recoverP50Ms < 7_000, `p50 ${report.recoverP50Ms}`);
    assert.ok(report.recoverP99Ms > 9_000 && report.recoverP99Ms < 10_500, `p99 ${report.recoverP99Ms}`);
    assert.equal(loadsOf(run)[0], 0);
    assert.equal(sumOf(loadsOf(run)), CLIENTS);
  });

  it('goes home to a node that returns, after probes and in its own time', async () => {
    const run = await fleet('node-returns');
    const [before, after] = [run.timeline.placement[0], loadsOf(run)];
    assert.deepEqual(after, before);
    assert.equal(run.affected, before?.[0]);
    assert.equal(run.report.attemptsPerClient, 1);
    assert.equal(run.report.needlessMoves, 0);
    // A minute of good probes first (failback.healthyMs).
    assert.ok(run.report.recoverP50Ms > 60_000);
    assert.ok(run.report.connectsPeakPer100ms <= 3);
  });

  it('is where it was after a rolling restart', async () => {
    const run = await fleet('rolling-restart', { endpoints: 3 });
    assert.equal(run.timeline.blows.length, 3);
    assert.deepEqual(loadsOf(run), run.timeline.placement[0]);
    assert.equal(run.report.skewAfter, run.report.skewBefore);
    assert.deepEqual([run.affected, run.unrecovered, run.report.needlessMoves], [CLIENTS, 0, 0]);
  });

  it('comes back from a total outage within its longest wait, and not all at once', async () => {
    const run = await fleet('total-outage', { clients: 60, endpoints: 3 });
    assert.deepEqual([run.affected, run.unrecovered, run.report.needlessMoves], [60, 0, 0]);
    assert.ok(run.report.recoverP99Ms <= 31_000, `p99 ${run.report.recoverP99Ms}`);
    assert.ok(run.report.recoverP50Ms >= 1_000, `p50 ${run.report.recoverP50Ms}`);
    assert.ok(run.report.connectsPeakPer100ms <= 5, `peak ${run.report.connectsPeakPer100ms}`);
    // Passes over all nodes, a quarter of a minute apart.
    assert.ok(run.dialsPerClient > 60 && run.dialsPerClient < 240, `${run.dialsPerClient} dials`);
  });

  it('gives a new node those clients that belong there, and moves no other', async () => {
    const run = await fleet('scale-out', { endpoints: 4 });
    const [before = [], after] = [run.timeline.placement[0], loadsOf(run)];
    assert.deepEqual([before[4], after[4]], [undefined, run.affected]);
    assert.equal(connectsOf(run), run.affected);
    assert.ok(run.affected > 10 && run.affected < 40, `${run.affected} belong there`);
    for (const node of [0, 1, 2, 3]) assert.ok((after[node] ?? 0) <= (before[node] ?? 0));
    assert.deepEqual([run.unrecovered, run.report.needlessMoves], [0, 0]);
  });

  it('notices a zone that is gone without a word by keepalive, within forty seconds', async () => {
    const run = await fleet('zone-loss');
    const loads = loadsOf(run);
    assert.deepEqual([loads[0], loads[3]], [0, 0]);
    assert.equal(run.unrecovered, 0);
    assert.ok(run.report.recoverP50Ms >= 10_000);
    assert.ok(run.report.recoverP99Ms <= 40_500, `p99 ${run.report.recoverP99Ms}`);
  });

  it('stays on a node that is merely slow, and goes elsewhere only where a link broke', async () => {
    const run = await fleet('slow-node');
    assert.ok(run.affected > 3 && run.affected < 30, `${run.affected} links broke`);
    assert.deepEqual([run.unrecovered, run.report.needlessMoves], [0, 0]);
    assert.deepEqual(loadsOf(run), run.timeline.placement[0]);
  });

  it('heeds the options that are tried out', async () => {
    const stays = await fleet('node-returns', { client: { failback: { mode: 'off' } } });
    assert.equal(loadsOf(stays)[0], 0);
    assert.equal(stays.unrecovered, stays.affected);
    const wide = await fleet('node-dies', { client: { backoff: { spreadMs: 5_000 } } });
    assert.ok(wide.report.recoverP50Ms > 1_500);
  });
});

describe('a simulation', () => {
  it('is the same for the same seed, and another for another', async () => {
    const [first, again, other] = await Promise.all([
      fleet('slow-node', { clients: 40, seed: 7 }),
      fleet('slow-node', { clients: 40, seed: 7 }),
      fleet('slow-node', { clients: 40, seed: 8 }),
    ]);
    assert.deepEqual(again, first);
    assert.notDeepEqual(other.timeline.connects, first.timeline.connects);
  });

  it('has the fields of its JSON and no others, whatever is simulated', async () => {
    const { report } = await fleet('zone-loss', { clients: 10, policy: 'full-jitter' });
    assert.deepEqual(Object.keys(report), [
      'scenario',
      'clients',
      'connectsPeakPer100ms',
      'connectsMeanPer100ms',
      'attemptsPerClient',
      'recoverP50Ms',
      'recoverP99Ms',
      'needlessMoves',
      'skewBefore',
      'skewAfter',
    ]);
  });

  it('tells how far it is, and ends when it is told to', async () => {
    const abort = new AbortController();
    const seen: number[] = [];
    const run = fleet('node-dies', {
      clients: 5,
      signal: abort.signal,
      onProgress: ({ atMs, endMs }) => {
        seen.push(atMs);
        if (atMs >= endMs / 2) abort.abort(new Error('enough'));
      },
    });
    await assert.rejects(run, { message: 'enough' });
    assert.deepEqual(seen.slice(0, 3), [0, 1_000, 2_000]);
    assert.equal(seen.at(-1), 300_000);
  });

  it('lets nodes be overwhelmed, and dials again where it was not heard', async () => {
    const { report } = await fleet('node-dies', { brokers: { handshakesPerSecond: 2, backlog: 1 } });
    assert.ok(report.attemptsPerClient > 1.5, `${report.attemptsPerClient} attempts`);
    assert.ok(report.recoverP99Ms > 2_000, `p99 ${report.recoverP99Ms}`);
  });
});

describe('fleets of others', () => {
  it('storm at one moment as list walkers, who are all on one node', async () => {
    const run = await fleet('node-dies', { policy: 'list-walker' });
    assert.equal(run.report.connectsPeakPer100ms, CLIENTS);
    assert.deepEqual(loadsOf(run), [0, CLIENTS, 0, 0, 0]);
    assert.deepEqual([run.report.skewBefore, run.report.skewAfter], [5, 4]);
  });

  it('are uneven after a rolling restart with full jitter: nobody goes home', async () => {
    const run = await fleet('rolling-restart', { policy: 'full-jitter' });
    assert.ok(run.report.skewAfter > run.report.skewBefore * 1.2, JSON.stringify(run.report));
    assert.ok(run.report.connectsPeakPer100ms < CLIENTS / 4);
  });

  it('move needlessly with full jitter: a broken link is reason enough to go to any node', async () => {
    const { report } = await fleet('slow-node', { policy: 'full-jitter' });
    assert.ok(report.needlessMoves > 0);
    // MQTT.js knows the next server only.
    const walking = await fleet('slow-node', { policy: 'list-walker' });
    assert.equal(walking.report.skewBefore, 5);
  });

  it('do not learn of a new node', async () => {
    const { report, affected } = await fleet('scale-out', { policy: 'full-jitter' });
    assert.equal(affected, 0);
    assert.deepEqual([report.recoverP50Ms, report.attemptsPerClient], [0, 0]);
  });
});

describe('wrong options', () => {
  const wrong: readonly (readonly [options: object, says: RegExp])[] = [
    [{ scenario: 'node-dei' }, /`scenario` must be one of 'node-dies', .*got "node-dei"/],
    [{ scenario: 'node-dies', policy: 'theirs' }, /`policy` must be one of 'ours', 'list-walker'/],
    [{ scenario: 'node-dies', clients: 0 }, /`clients` must be an integer from 1 to 1000000, got 0/],
    [{ scenario: 'node-dies', endpoints: 1 }, /`endpoints` must be an integer from 2 to 1000/],
    [{ scenario: 'node-dies', seed: 1.5 }, /`seed` must be an integer/],
    [{ scenario: 'node-dies', spreadMs: -1 }, /`spreadMs` must be a number from 0 to 600000/],
    [{ scenario: 'node-dies', spread: 1 }, /`spread` is unknown; known here: scenario/],
    [{ scenario: 'node-dies', brokers: { latency: 1 } }, /`brokers.latency` is unknown/],
    [{ scenario: 'node-dies', brokers: { latencyMs: '1' } }, /`brokers.latencyMs` must be a number/],
    [{ scenario: 'node-dies', client: { outbox: {} } }, /`client.outbox` is unknown/],
    [{ scenario: 'node-dies', client: { backoff: { minMs: -1 } } }, /`backoff.minMs` must be/],
    [{ scenario: 'node-dies', policy: 'full-jitter', client: { dial: {} } }, /`client` must be left out/],
  ];
  for (const [options, says] of wrong) {
    it(JSON.stringify(options), async () => {
      await assert.rejects(simulate(options as SimulationOptions), { code: 'ERR_OPTION', message: says });
    });
  }

  it('cannot hide in the lists of names', () => {
    assert.deepEqual(POLICIES, ['ours', 'list-walker', 'full-jitter']);
    assert.equal(SCENARIO_NAMES.length, 7);
  });
});
