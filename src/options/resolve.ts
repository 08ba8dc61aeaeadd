/** From options as they were written to options with every default filled in. */
import { parseDohUrl } from '../discovery/dns/doh-url.js';
import { parseDnsServer } from '../discovery/dns/server-address.js';
import { checkAllowedHosts } from '../discovery/host-policy.js';
import { optionError } from '../errors.js';
import { replacedOptionWarnings } from '../warnings.js';
import { checkGroups } from './groups.js';
import { checkMqttOptions, mqttOptions } from './mqtt-options.js';
import type { FailbackOptions, FailoverOptions, OutboxOptions } from './options.js';
import type { PlatformDefaults, ResolvedOptions } from './resolved.js';

/**
 * Checks `options` and fills in the defaults.
 *
 * @throws {@link FailoverError} `ERR_OPTION` naming the option, what was expected and what came.
 */
export function resolveOptions(options: FailoverOptions, defaults: PlatformDefaults): ResolvedOptions {
  checkGroups(options);
  checkMqttOptions(options);
  return Object.freeze({
    mqtt: mqttOptions(options),
    selection: options.selection ?? 'client-id',
    zone: options.zone,
    dial: filled(
      { staggerMs: 250, race: 3, transportTimeoutMs: 5_000, connackTimeoutMs: 10_000 },
      options.dial,
    ),
    backoff: backoffOf(options),
    liveness: filled({ suspectAfterMs: 1_000, pingTimeoutMs: 1_000, maxMs: 10_000 }, options.liveness),
    health: filled(
      { failures: 2, ejectMs: 30_000, maxEjectMs: 300_000, panicAbove: 0.5, probeMs: 10_000 },
      options.health,
    ),
    failback: filled<Required<FailbackOptions>>(
      { mode: 'auto', healthyMs: 60_000, probes: 3, windowMs: 60_000, dwellMs: 300_000 },
      options.failback,
    ),
    sessions: options.sessions ?? 'auto',
    credentials: options.credentials,
    outbox: outboxOf(options, defaults),
    discovery: discoveryOf(options, defaults),
    allowInsecure: options.allowInsecure ?? false,
    reconnect: options.reconnectPeriod !== 0,
    attemptTimeoutMs: options.connectTimeout ?? Number.POSITIVE_INFINITY,
    overrides: options.overrides,
    warnings: replacedOptionWarnings(options),
  });
}

function backoffOf({ backoff = {}, reconnectPeriod }: FailoverOptions): ResolvedOptions['backoff'] {
  const profileMaxMs = backoff.profile === 'battery' ? 120_000 : 30_000;
  // MQTT.js knows no longest wait: a period beyond ours raises it.
  const maxMs =
    backoff.maxMs ?? Math.max(profileMaxMs, backoff.minMs === undefined ? (reconnectPeriod ?? 0) : 0);
  const minMs = backoff.minMs ?? (reconnectPeriod || Math.min(1_000, maxMs));
  if (minMs > maxMs)
    throw optionError('backoff.minMs', `a number of milliseconds <= backoff.maxMs (${maxMs})`, minMs);
  return { ...filled({ baseMs: 2_000, resetAfterMs: 30_000, spreadMs: 100 }, backoff), minMs, maxMs };
}

function outboxOf(
  { outbox = {} }: FailoverOptions,
  { maxMessages, maxBytes }: PlatformDefaults,
): ResolvedOptions['outbox'] {
  return {
    ...filled<Required<Omit<OutboxOptions, 'store' | 'codec' | 'replay'>>>(
      {
        maxMessages,
        maxBytes,
        maxAgeMs: Number.POSITIVE_INFINITY,
        overflow: 'reject-new',
        dedupId: false,
        qos2: 'republish',
      },
      outbox,
    ),
    ...filled({ concurrency: 100, perSecond: Number.POSITIVE_INFINITY }, outbox.replay),
    store: outbox.store,
    codec: outbox.codec,
  };
}

function discoveryOf(
  { discovery = {} }: FailoverOptions,
  { lastKnownGood }: PlatformDefaults,
): ResolvedOptions['discovery'] {
  const { refreshMs, dns, registry, topic, allowedHosts, maxEndpoints } = discovery;
  return {
    refreshMs,
    servers: dns?.servers?.map((text, i) => parseDnsServer(text, `discovery.dns.servers[${i}]`)),
    doh: dns?.doh === undefined ? undefined : parseDohUrl(dns.doh),
    allowedHosts: allowedHosts && checkAllowedHosts(allowedHosts),
    registry: {
      headers: registry?.headers,
      pollMs: registry?.pollMs ?? refreshMs,
      push: registry?.push,
    },
    topic,
    lastKnownGood: (discovery.lastKnownGood ?? lastKnownGood) || undefined,
    maxEndpoints,
  };
}

/** `given`, with `defaults` for what it leaves out. */
function filled<T extends object>(defaults: T, given: { [K in keyof T]?: T[K] | undefined } = {}): T {
  const values = Object.entries(defaults).map(([key, value]) => [key, given[key as keyof T] ?? value]);
  return Object.fromEntries(values);
}
