/** What befalls the cluster: one script for each scenario, over a fleet that is connected and at rest. */
import type { Random } from '../platform/ports.js';
import type { Broker } from './broker.js';
import type { Recorder } from './recorder.js';

/** What a script can do. */
export interface Stage {
  /** The nodes of the cluster; one that is added is the last. */
  readonly brokers: readonly Broker[];
  readonly recorder: Recorder;
  readonly random: Random;
  /** A blow is about to fall: from the first one on, everything is measured. */
  begin(): void;
  /** Calls `act` so many milliseconds after the fleet is at rest. */
  at(ms: number, act: () => void): void;
  /** A node joins, and the list has it. */
  grow(): Broker;
}

/** One scenario. */
export interface Scenario {
  /** Endpoints, unless told otherwise. */
  readonly endpoints: number;
  /** Milliseconds from rest to the end of the run, for so many endpoints. */
  readonly lastsMs: (endpoints: number) => number;
  /** Sets everything up. Measuring starts with the first {@link Stage.begin}. */
  readonly play: (stage: Stage) => void;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Milliseconds that a node of a rolling restart is away, and from one node to the next. */
const RESTART_MS = 30 * SECOND;
const RESTART_EVERY_MS = 3 * MINUTE;
/** Time after the last restart in which everyone can be home: the longest dwell, slot and wait for a probe. */
const GO_HOME_MS = 10 * MINUTE;
const OUTAGE_MS = 10 * MINUTE;
/** Share of the links that break of themselves while a node is slow, within how long. */
const HICCUP = { share: 0.1, withinMs: SECOND } as const;
/** Zones that the nodes are spread over. */
const ZONES = 3;

/** Everything that can be simulated. */
export const SCENARIOS = {
  /** A node crashes, and stays away. */
  'node-dies': {
    endpoints: 5,
    lastsMs: () => 8 * MINUTE,
    play: ({ brokers, recorder, begin, at }) => {
      const [node] = brokers as [Broker];
      at(0, () => {
        begin();
        crash(node, recorder);
      });
    },
  },
  /** A node that has been away for two minutes returns; measured from there on. */
  'node-returns': {
    endpoints: 5,
    lastsMs: () => 2 * MINUTE + 8 * MINUTE,
    play: ({ brokers, recorder, begin, at }) => {
      const [node] = brokers as [Broker];
      at(0, () => node.die());
      at(2 * MINUTE, () => {
        begin();
        node.recover();
        recorder.await(node);
      });
    },
  },
  /** Each node in turn crashes and is back after half a minute. */
  'rolling-restart': {
    endpoints: 5,
    lastsMs: (endpoints) => endpoints * RESTART_EVERY_MS + GO_HOME_MS,
    play: ({ brokers, recorder, begin, at }) => {
      for (const [turn, node] of brokers.entries()) {
        at(turn * RESTART_EVERY_MS, () => {
          begin();
          crash(node, recorder);
        });
        at(turn * RESTART_EVERY_MS + RESTART_MS, () => node.recover());
      }
    },
  },
  /** All nodes crash, and return together after ten minutes. */
  'total-outage': {
    endpoints: 5,
    lastsMs: () => OUTAGE_MS + 3 * MINUTE,
    play: ({ brokers, recorder, begin, at }) => {
      at(0, () => {
        begin();
        for (const node of brokers) crash(node, recorder);
      });
      at(OUTAGE_MS, () => {
        for (const node of brokers) node.recover();
        recorder.possible();
      });
    },
  },
  /** A node is added. */
  'scale-out': {
    endpoints: 10,
    lastsMs: () => 8 * MINUTE,
    play: ({ recorder, begin, at, grow }) => {
      at(0, () => {
        begin();
        recorder.await(grow());
      });
    },
  },
  /** Every third node is gone without a word: a zone has lost its power or its network. */
  'zone-loss': {
    endpoints: 6,
    lastsMs: () => 8 * MINUTE,
    play: ({ brokers, recorder, begin, at }) => {
      at(0, () => {
        begin();
        for (const node of brokers) {
          if (node.index % ZONES !== 0) continue;
          cutAll(node, recorder);
          node.vanish();
        }
      });
    },
  },
  /** A node needs a second each way for five minutes, while a tenth of all links break of themselves. */
  'slow-node': {
    endpoints: 5,
    lastsMs: () => 8 * MINUTE,
    play: ({ brokers, recorder, random, begin, at }) => {
      const [slow] = brokers as [Broker];
      at(0, () => {
        begin();
        slow.slowDown();
        for (const node of brokers) {
          for (const connection of node.connections) {
            if (random.next() >= HICCUP.share) continue;
            at(random.next() * HICCUP.withinMs, () => {
              if (!node.connections.has(connection) || !recorder.cut(connection.client, node)) return;
              node.connections.delete(connection);
              connection.hangUp();
            });
          }
        }
      });
      at(5 * MINUTE, () => slow.recover());
    },
  },
} as const satisfies Record<string, Scenario>;

/** Name of a scenario. */
export type ScenarioName = keyof typeof SCENARIOS;

/** Every scenario there is. */
export const SCENARIO_NAMES: readonly ScenarioName[] = Object.freeze(
  Object.keys(SCENARIOS) as ScenarioName[],
);

function crash(node: Broker, recorder: Recorder): void {
  cutAll(node, recorder);
  node.die();
}

function cutAll(node: Broker, recorder: Recorder): void {
  for (const { client } of node.connections) recorder.cut(client, node);
}
