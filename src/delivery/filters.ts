/** What topic filters need of a broker, and what its refusals mean. */
import type { BrokerLimits } from '../session/broker-limits.js';

const SHARED = '$share/';

/** Reason codes of SUBACK that a broker would give for what it announced not to support [MQTT 5.0 §3.9.3]. */
const SHARED_NOT_SUPPORTED = 0x9e;
const WILDCARD_NOT_SUPPORTED = 0xa2;

/** The reason code with which a broker would answer `filter`, if it announced that it does not support it (R121). */
export function unsupportedCode(filter: string, limits: BrokerLimits): number | undefined {
  if (!limits.sharedSubscriptions && filter.startsWith(SHARED)) return SHARED_NOT_SUPPORTED;
  if (!limits.wildcardSubscriptions && /[+#]/.test(filter)) return WILDCARD_NOT_SUPPORTED;
  return undefined;
}

/** Whether a reason code of SUBACK is a refusal; 0x80 is the only one of MQTT 3.1.1. */
export function isRefusal(code: unknown): code is number {
  return typeof code === 'number' && code >= 0x80;
}

/** What becomes of an accepted filter that a new broker refuses. */
export type RefusalAction =
  /** Asked for again on this link: the broker may just be starting. */
  | 'retry'
  /** Asked for again on the next link. */
  | 'next-link'
  /** Never asked for again. */
  | 'forget';

const ACTIONS: ReadonlyMap<number, RefusalAction> = new Map([
  [0x80, 'retry'], // Unspecified error
  [0x83, 'retry'], // Implementation specific error
  [0x91, 'retry'], // Packet identifier in use
  [0x97, 'retry'], // Quota exceeded
  [0x8f, 'forget'], // Topic Filter invalid
  [0x9e, 'forget'], // Shared Subscriptions not supported
  [0xa1, 'forget'], // Subscription Identifiers not supported
  [0xa2, 'forget'], // Wildcard Subscriptions not supported
]);

/** The action for a refusal at restoration (R72). Not authorized, and what nobody knows, waits for the next link. */
export function afterRefusal(code: number): RefusalAction {
  return ACTIONS.get(code) ?? 'next-link';
}
