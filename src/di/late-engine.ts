/** Makes what stands for an engine until its code is there. */
import type { ClientEngine } from '../client/engine.js';
import { LateEngine } from '../client/late-engine.js';
import type { EventSink } from '../events.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Platform } from '../platform/ports.js';

/** @param load - Gives what makes the engine; called until it has succeeded once. */
export function lateEngine(
  { clock, random, page }: Platform,
  { backoff, outbox }: ResolvedOptions,
  core: MqttCore,
  events: EventSink,
  load: () => Promise<() => ClientEngine>,
): LateEngine {
  return new LateEngine({
    load,
    core,
    events,
    clock,
    random,
    signals: page?.signals,
    backoff,
    bounds: outbox,
  });
}
