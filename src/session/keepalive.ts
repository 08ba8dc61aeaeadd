/** Keepalive: what brokers are told, and how a page keeps to it, whose native timers tick once a minute when hidden (R161). */
import type { IClientOptions } from 'mqtt';
import type { Page } from '../platform/page.js';

/** Seconds, where the application says nothing. MQTT.js's 60 notice a dead idle link after 90 s (D8). */
export const DEFAULT_KEEPALIVE = 30;

/** Seconds; one and a half times as long, which brokers wait, is more than a hidden tab's timer can be late. */
const THROTTLED_KEEPALIVE = 120;

/**
 * Gives MQTT.js timers that go on in a hidden tab. Where the page refuses them, the broker is told from the next CONNECT
 * on that we are heard of less often, unless the application has decided.
 *
 * @param live - The options that MQTT.js reads.
 * @param given - Those that the application gave.
 */
export function keepAliveIn({ timers }: Page, live: IClientOptions, given: IClientOptions): void {
  if (!timers || given.timerVariant !== undefined) return;
  const variant = timers();
  live.timerVariant = variant as unknown as NonNullable<IClientOptions['timerVariant']>;
  if (given.keepalive !== undefined) return;
  void variant.refused.then(() => {
    live.keepalive = THROTTLED_KEEPALIVE;
  });
}
