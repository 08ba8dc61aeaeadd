/**
 * One fault, and everybody on the node that it hits: what publishers, subscribers and new clients of each contestant
 * wait for, and what becomes of their messages.
 *
 * All contestants share the brokers. Where recovery takes milliseconds they take turns; elsewhere they share the moment
 * of the fault, too, and a round lasts as long as the slowest wait. Each node in turn is the one that fails.
 */
import { Cluster } from '../contestants/cluster.js';
import { AT_ONCE, CONTESTANTS, type Contestant, OURS } from '../contestants/contestants.js';
import { Watch } from '../contestants/watch.js';
import { medianCells, number } from '../support/format.js';
import type { RunContext, Scenario, ScenarioResult, Series, Target } from '../support/scenario.js';
import { median } from '../support/statistics.js';
import { FAULTS, type Fault } from './fail-over/faults.js';
import { type Outcome, Team } from './fail-over/team.js';

const CRASH = FAULTS.find(({ name }) => name === 'crash')!;
const NODES = 3;
/** Milliseconds of work before the fault: longer than the second that our client leaves between two attempts. */
const LOAD_MS = 1_500;
const QUICK_CAP_MS = 15_000;
/** Milliseconds that everybody works on after the last one is back. */
const AFTER_MS = 300;

const WAITS = ['publisher', 'subscriber', 'newcomer'] as const;
const TITLES: Readonly<Record<(typeof WAITS)[number], string>> = {
  publisher: 'publisher gap',
  subscriber: 'subscriber gap',
  newcomer: 'new client',
};
const COUNTS = ['published', 'lost', 'refused', 'waiting', 'duplicates'] as const;

export const [crash, hang, synDrop, silentAccept] = FAULTS.map(
  (fault): Scenario => ({
    name: fault.name,
    about: `${fault.title}; publishers, subscribers and new clients of all contestants`,
    rounds: fault.rounds,
    quickRounds: 1,
    run: (context) => {
      const capMs = context.quick ? Math.min(fault.capMs, QUICK_CAP_MS) : fault.capMs;
      return run({ ...fault, capMs }, context);
    },
  }),
) as [Scenario, Scenario, Scenario, Scenario];

async function run(fault: Fault, context: RunContext): Promise<ScenarioResult> {
  const contestants = [OURS, AT_ONCE, ...(context.peers ? CONTESTANTS.filter((each) => each !== OURS) : [])];
  context.progress.waiting('brokers and clients start');
  await using cluster = await Cluster.start(NODES, contestants);
  await using watch = await Watch.start(cluster.nodes);
  const teams = contestants.map((contestant) => new Team(contestant, cluster, watch));
  try {
    const outcomes = new Map<Contestant, Outcome[]>(contestants.map((contestant) => [contestant, []]));
    const world = { cluster, watch, context };
    // Thrown away: in it everything is compiled.
    await playRound(CRASH, -1, teams, world);
    for (let round = 0; round < context.rounds; round += 1) {
      // Nobody is always first.
      const order = teams.map((_, turn) => teams[(turn + round) % teams.length]!);
      for (const turn of fault.inTurns ? order.map((team) => [team]) : [order]) {
        const played = await playRound(fault, round, turn, world);
        for (const [at, outcome] of played.entries()) outcomes.get(turn[at]!.contestant)!.push(outcome);
      }
    }
    return report(fault, outcomes);
  } finally {
    await Promise.all(teams.map((team) => team[Symbol.asyncDispose]()));
  }
}

interface World {
  readonly cluster: Cluster;
  readonly watch: Watch;
  readonly context: RunContext;
}

async function playRound(
  fault: Fault,
  round: number,
  teams: readonly Team[],
  { cluster, watch, context: { progress, rounds } }: World,
): Promise<Outcome[]> {
  const victim = Math.max(0, round) % cluster.nodes.length;
  const say = (text: string) =>
    round < 0 ? progress.waiting(`warm-up · ${text}`) : progress.round(round, rounds, text);
  say(`${teams.map((team) => team.contestant.name).join(', ')} connect`);
  watch.forget();
  for (const team of teams) await team.prepare(victim, round);
  watch.startFeed();
  await pause(LOAD_MS);
  say(fault.name);
  const { at, heal } = await fault.strike(cluster.nodes[victim]!);
  const waits = await Promise.all(waitFor(teams, fault.capMs, say));
  await pause(AFTER_MS);
  const outcomes = await Promise.all(
    teams.map((team, i) => team.finish(at, waits[i]!.heard, waits[i]!.newcomer)),
  );
  watch.stopFeed();
  await heal();
  await watch.attach();
  return outcomes;
}

/** Waits for everybody side by side, and says whom it still waits for. */
function waitFor(teams: readonly Team[], capMs: number, say: (text: string) => void) {
  const startedAt = performance.now();
  const waitingFor = new Set(teams);
  const ticker = setInterval(() => {
    const names = [...waitingFor].map((team) => team.contestant.name).join(', ');
    say(`${Math.round((performance.now() - startedAt) / 1_000)} s, waits for ${names}`);
  }, 1_000);
  return teams.map(async (team) => {
    const [newcomer, heard] = await Promise.all([
      team.dial(capMs),
      team.heard(capMs),
      elsewhere(team, startedAt + capMs),
    ]);
    waitingFor.delete(team);
    if (waitingFor.size === 0) clearInterval(ticker);
    return { newcomer, heard };
  });
}

async function elsewhere(team: Team, until: number): Promise<void> {
  while (!team.publishesElsewhere && performance.now() < until) await pause(50);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function report(fault: Fault, outcomes: ReadonlyMap<Contestant, readonly Outcome[]>): ScenarioResult {
  const entries = [...outcomes].map(([{ name }, list]) => ({
    name,
    waits: (wait: (typeof WAITS)[number]) => list.flatMap((outcome) => outcome[wait]),
    total: (count: (typeof COUNTS)[number]) => list.reduce((sum, outcome) => sum + outcome[count], 0),
  }));
  const base = entries.find(({ name }) => name === OURS.name)!;
  const cells = (samples: readonly number[]) =>
    medianCells(samples).map((cell) => cell.replaceAll('∞', `> ${number(fault.capMs)}`));
  return {
    series: entries.flatMap(({ name, waits, total }): Series[] => [
      ...WAITS.map((wait) => ({
        name,
        group: TITLES[wait],
        unit: 'ms',
        capMs: fault.capMs,
        samples: waits(wait),
      })),
      ...COUNTS.map((count) => ({ name, group: count, unit: 'messages', samples: [total(count)] })),
    ]),
    tables: WAITS.map((wait) => ({
      title: `${fault.title}. ${TITLES[wait]}, ms`,
      head: [
        'client',
        'median',
        'p10 – p90',
        '÷ ours',
        ...(wait === 'publisher' ? ['lost', 'refused', 'waiting', 'twice', 'of'] : []),
      ],
      rows: entries.map(({ name, waits, total }) => [
        name,
        ...cells(waits(wait)),
        number(median(waits(wait)) / median(base.waits(wait))),
        ...(wait === 'publisher'
          ? [
              ...['lost', 'refused', 'waiting', 'duplicates', 'published'].map((count) =>
                String(total(count as (typeof COUNTS)[number])),
              ),
            ]
          : []),
      ]),
    })),
    targets: targets(entries),
    notes: [
      'Publisher gap: from the fault to the first acknowledgement of a message that another node took. Subscriber gap: to the first message from another node; it publishes nothing. New client: from connect() right after the fault, of a client that was on this node before, to CONNACK.',
      'Lost: neither delivered nor refused. Refused: the application was told at once. Waiting: at clients that were not back in time.',
    ],
    faults: entries
      .filter(({ name, total }) => isOurs(name) && total('lost') + total('refused') > 0)
      .map(({ name, total }) => `${name}: ${total('lost')} lost, ${total('refused')} refused`),
  };
}

function isOurs(name: string): boolean {
  return name === OURS.name || name === AT_ONCE.name;
}

/** Ahead of everybody else. */
function targets(
  entries: readonly {
    name: string;
    waits: (wait: (typeof WAITS)[number]) => number[];
    total: (count: 'lost') => number;
  }[],
): Target[] {
  const peers = entries.filter(({ name }) => !isOurs(name));
  return entries
    .filter(({ name }) => isOurs(name))
    .flatMap(({ name, waits, total }) => [
      ...(['publisher', 'subscriber'] as const).flatMap((wait): Target[] => {
        const best = Math.min(...peers.map((peer) => median(peer.waits(wait))));
        if (!Number.isFinite(best)) return [];
        return [
          {
            what: `${name}, ${TITLES[wait]} ÷ the best of the others`,
            value: median(waits(wait)) / best,
            limit: 1,
            unit: '×',
          },
        ];
      }),
      { what: `${name}, lost at QoS 1`, value: total('lost'), limit: 0, unit: '' },
    ]);
}
