/** `mqtt-failover/simulator`, for Node: what a fleet would do to a cluster, on a virtual clock. */
export type { BrokerModel } from './broker.js';
export {
  type ClientPolicy,
  POLICIES,
  type Progress,
  type SimulationOptions,
} from './options.js';
export { SCENARIO_NAMES, type ScenarioName } from './scenarios.js';
export { type Simulation, type SimulationReport, simulate, type Timeline } from './simulate.js';
