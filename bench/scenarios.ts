/** Every benchmark, in the order in which they run; last the one that needs a program of its own. */
import { outage } from './micro/delivery/outage.js';
import { outbox } from './micro/delivery/outbox.js';
import { changes } from './micro/discovery/changes.js';
import { registryParse } from './micro/discovery/registry-parse.js';
import { discovery } from './micro/discovery/srv.js';
import { candidates } from './micro/selection/candidates.js';
import { rank } from './micro/selection/rank.js';
import { crashFailover } from './scenarios/crash-failover.js';
import { crashFloor } from './scenarios/crash-floor.js';
import { durableOutbox } from './scenarios/durable-outbox.js';
import { crash, hang, silentAccept, synDrop } from './scenarios/fail-over.js';
import { load } from './scenarios/load.js';
import { memory } from './scenarios/memory.js';
import { publishCost } from './scenarios/publish-cost.js';
import { resume } from './scenarios/resume.js';
import { rollingRestart } from './scenarios/rolling-restart.js';
import { simulator } from './scenarios/simulator.js';
import { storm } from './scenarios/storm.js';
import type { Scenario } from './support/scenario.js';

/** Ours beside other clients and balancers: the README's figures. */
export const COMPARISON: readonly Scenario[] = [
  crash,
  hang,
  synDrop,
  silentAccept,
  load,
  memory,
  rollingRestart,
  storm,
];

export const SCENARIOS: readonly Scenario[] = [
  crashFailover,
  ...COMPARISON,
  resume,
  publishCost,
  durableOutbox,
  rank,
  candidates,
  discovery,
  changes,
  registryParse,
  outbox,
  outage,
  simulator,
  crashFloor,
];
