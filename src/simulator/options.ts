/** The options of a simulation: their defaults, and the only place that checks them. */
import { FailoverError, optionError } from '../errors.js';
import type { FailoverGroups } from '../options/options.js';
import { resolveOptions } from '../options/resolve.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { BrokerModel } from './broker.js';
import { SCENARIO_NAMES, SCENARIOS, type ScenarioName } from './scenarios.js';

/** How the clients of a fleet behave: as those of this library, as MQTT.js with `servers`, or with full jitter. */
export type ClientPolicy = 'ours' | 'list-walker' | 'full-jitter';

/** Every policy there is. */
export const POLICIES: readonly ClientPolicy[] = Object.freeze([
  'ours',
  'list-walker',
  'full-jitter',
] as const);

/** The most clients and endpoints of one simulation: what memory and patience can bear. */
export const MAX_CLIENTS = 1_000_000;
export const MAX_ENDPOINTS = 1_000;
/** Seeds are 32 bits. */
export const MAX_SEED = 2 ** 32 - 1;
/** Milliseconds that a client heeds, at most. */
export const MAX_SPREAD_MS = 600_000;

/** How far a simulation is. */
export interface Progress {
  /** Milliseconds of the fleet's time so far. */
  readonly atMs: number;
  /** Milliseconds of the fleet's time at the end. */
  readonly endMs: number;
  /** Clients with a link. */
  readonly connected: number;
}

/** What to simulate. */
export interface SimulationOptions {
  /** What happens to the fleet. */
  readonly scenario: ScenarioName;
  /** Clients, each a device of its own: 1 to 1 000 000. @defaultValue 1000 */
  readonly clients?: number;
  /** Broker nodes, 2 to 1000. @defaultValue 5; 10 in `scale-out`, 6 in `zone-loss` */
  readonly endpoints?: number;
  /** The same seed and options give the same run: 0 to 2³²−1. @defaultValue 1 */
  readonly seed?: number;
  /** Milliseconds over which the list asks the fleet to spread after a loss; clients of ours heed it. @defaultValue none */
  readonly spreadMs?: number;
  /** How the clients behave. @defaultValue 'ours' */
  readonly policy?: ClientPolicy;
  /** How every broker node is. */
  readonly brokers?: BrokerModel;
  /** Options of the library to try out; only with policy `'ours'`. */
  readonly client?: Pick<FailoverGroups, 'selection' | 'dial' | 'backoff' | 'health' | 'failback'>;
  /** Called for every second of the fleet's time. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the simulation before its time. */
  readonly signal?: AbortSignal;
}

/** Options with everything that was left out. */
export interface ReadOptions {
  readonly scenario: ScenarioName;
  readonly clients: number;
  readonly endpoints: number;
  readonly seed: number;
  readonly spreadMs: number | undefined;
  readonly policy: ClientPolicy;
  readonly brokers: Required<BrokerModel>;
  readonly client: ResolvedOptions;
}

const KEYS: ReadonlySet<string> = new Set<keyof SimulationOptions>([
  'scenario',
  'clients',
  'endpoints',
  'seed',
  'spreadMs',
  'policy',
  'brokers',
  'client',
  'onProgress',
  'signal',
]);
const BROKER_KEYS = ['handshakesPerSecond', 'backlog', 'latencyMs'] as const satisfies (keyof BrokerModel)[];
const CLIENT_KEYS = ['selection', 'dial', 'backoff', 'health', 'failback'] as const;

/**
 * Completes and checks options.
 *
 * @throws {@link FailoverError} `ERR_OPTION` that names the option, what was expected and what came.
 */
export function readOptions(options: SimulationOptions): ReadOptions {
  known('', options, [...KEYS]);
  const { brokers = {}, client = {}, policy = 'ours' } = options;
  if (!SCENARIO_NAMES.includes(options.scenario))
    throw optionError('scenario', oneOf(SCENARIO_NAMES), options.scenario);
  if (!POLICIES.includes(policy)) throw optionError('policy', oneOf(POLICIES), policy);
  known('brokers.', brokers, BROKER_KEYS);
  known('client.', client, CLIENT_KEYS);
  if (policy !== 'ours' && Object.keys(client).length > 0)
    throw optionError(
      'client',
      `left out with policy '${policy}', whose clients know none of our options`,
      client,
    );
  const integer = (name: string, value: number | undefined, otherwise: number, min: number, max: number) =>
    checked(name, value ?? otherwise, min, max, true);
  const number = (name: string, value: number | undefined, otherwise: number, min: number, max: number) =>
    checked(name, value ?? otherwise, min, max, false);
  const { scenario, spreadMs } = options;
  const { endpoints } = SCENARIOS[scenario];
  return {
    scenario,
    policy,
    clients: integer('clients', options.clients, 1_000, 1, MAX_CLIENTS),
    endpoints: integer('endpoints', options.endpoints, endpoints, 2, MAX_ENDPOINTS),
    seed: integer('seed', options.seed, 1, 0, MAX_SEED),
    spreadMs: spreadMs === undefined ? undefined : number('spreadMs', spreadMs, 0, 0, MAX_SPREAD_MS),
    brokers: {
      handshakesPerSecond: number('brokers.handshakesPerSecond', brokers.handshakesPerSecond, 5_000, 1, 1e6),
      backlog: integer('brokers.backlog', brokers.backlog, 4_096, 1, 1e6),
      latencyMs: number('brokers.latencyMs', brokers.latencyMs, 20, 0, 10_000),
    },
    client: resolveOptions(client, NO_OUTBOX),
  };
}

/** Nothing is published. */
const NO_OUTBOX = { maxMessages: 1, maxBytes: 1 };

function known(prefix: string, given: unknown, names: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw optionError(prefix.slice(0, -1) || 'options', 'an object', given);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const text = `Option \`${prefix}${unknown}\` is unknown; known here: ${names.join(', ')}`;
  throw new FailoverError('ERR_OPTION', text);
}

function checked(name: string, value: unknown, min: number, max: number, isInteger: boolean): number {
  const fits = typeof value === 'number' && value >= min && value <= max;
  if (fits && (!isInteger || Number.isInteger(value))) return value;
  throw optionError(name, `${isInteger ? 'an integer' : 'a number'} from ${min} to ${max}`, value);
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.map((name) => `'${name}'`).join(', ')}`;
}
