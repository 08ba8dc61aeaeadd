/** What each of our options must be. */
import {
  aFunction,
  type Checks,
  count,
  flag,
  group,
  hasMethods,
  isNumber,
  isText,
  ms,
  must,
  oneOf,
  texts,
} from './checks.js';
import type { FailoverOptions } from './options.js';

const share = must('a number from 0 to 1', (value) => isNumber(value) && value >= 0 && value <= 1);

/** Our groups: what each option must be. */
const GROUPS: Checks = {
  selection: must(
    "'client-id', 'random', 'ordered' or an object with a `rank` function",
    (value) => ['client-id', 'random', 'ordered'].includes(value as string) || hasMethods(value, 'rank'),
  ),
  zone: must(
    'a string of 1 to 64 characters',
    (value) => typeof value === 'string' && value !== '' && value.length <= 64,
  ),
  sessions: oneOf('auto', 'shared', 'local'),
  credentials: aFunction,
  dial: group({ staggerMs: ms(10), race: count(1), transportTimeoutMs: ms(1), connackTimeoutMs: ms(1) }),
  backoff: group({
    profile: oneOf('default', 'battery'),
    minMs: ms(0),
    baseMs: ms(0),
    maxMs: ms(1),
    resetAfterMs: ms(0),
    spreadMs: ms(0),
  }),
  liveness: group({ suspectAfterMs: ms(1), pingTimeoutMs: ms(1), maxMs: ms(1) }),
  health: group({ failures: count(1), ejectMs: ms(0), maxEjectMs: ms(0), panicAbove: share, probeMs: ms(1) }),
  failback: group({
    mode: oneOf('auto', 'manual', 'off'),
    healthyMs: ms(0),
    probes: count(1),
    windowMs: ms(0),
    dwellMs: ms(0),
  }),
  outbox: group({
    maxMessages: count(1),
    maxBytes: count(1),
    maxAgeMs: ms(1),
    overflow: oneOf('reject-new', 'drop-oldest', 'drop-oldest-qos0', 'latest-per-topic'),
    store: must(
      'a path or name, or a database of abstract-level',
      (value) => isText(value) || hasMethods(value, 'open', 'close', 'sublevel'),
    ),
    codec: must('an object with the functions `encode` and `decode`', (value) =>
      hasMethods(value, 'encode', 'decode'),
    ),
    dedupId: flag,
    qos2: oneOf('republish', 'reject'),
    replay: group({
      concurrency: count(1),
      perSecond: must('a number > 0', (value) => isNumber(value) && value > 0),
    }),
  }),
  discovery: group({
    dns: group({
      servers: texts('an array of DNS servers such as `host:port`'),
      doh: must('an https URL', isText),
    }),
    registry: group({
      // No value of a header may show in an error: a bad one is told by the option's name alone.
      headers: must('an object of HTTP headers or a function that gives one', isRegistryHeaders),
      pollMs: ms(1_000),
      push: flag,
    }),
    topic: must('a non-empty string', isText),
    refreshMs: ms(1_000),
    lastKnownGood: must('a path or name, or false', (value) => value === false || typeof value === 'string'),
    allowedHosts: texts('an array of host names'),
    maxEndpoints: count(1),
  }),
  tabs: oneOf('separate', 'shared'),
  allowInsecure: flag,
  overrides: aFunction,
};

/** Names of our option groups: one of them turns a single URL from plain MQTT.js into a managed client. */
export const GROUP_NAMES: ReadonlySet<string> = new Set(['brokers', ...Object.keys(GROUPS)]);

/**
 * Checks the options that are ours, each for itself.
 *
 * @throws {@link FailoverError} `ERR_OPTION` naming the option, what was expected and what came.
 */
export function checkGroups(options: FailoverOptions): void {
  for (const [name, check] of Object.entries(GROUPS)) {
    const value = options[name as keyof FailoverOptions];
    if (value !== undefined) check(value, name);
  }
}

function isRegistryHeaders(value: unknown): boolean {
  if (typeof value === 'function') return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  try {
    // The platform knows best which names and values are headers.
    new Headers(value as Record<string, string>);
    return Object.values(value).every((each) => typeof each === 'string');
  } catch {
    return false;
  }
}
