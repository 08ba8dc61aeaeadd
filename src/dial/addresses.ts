/** Which addresses of a host are dialed, and in which order. */
import type { DialTarget, HostAddress } from '../platform/ports.js';

/** Addresses of one host that are used; what a resolver says beyond that is ignored. */
const MAX_ADDRESSES = 16;

/**
 * Decides which of a host's addresses may be dialed, after resolution and before anything is opened.
 *
 * Asked for every attempt, so that a name which leads elsewhere than it did before gains nothing (R191). Not asked
 * where the runtime does not see addresses: in browsers, behind a proxy, or with a socket of the application's own.
 */
export type Admit = (target: DialTarget, addresses: readonly HostAddress[]) => readonly HostAddress[];

/** Families alternate, IPv6 first; within one the order of the resolver stays (RFC 8305 §4). */
export function interleave(addresses: readonly HostAddress[]): HostAddress[] {
  const six = addresses.filter(({ family }) => family === 6);
  const four = addresses.filter(({ family }) => family === 4);
  const pairs = Array.from({ length: Math.max(six.length, four.length) }, (_, at) => [six[at], four[at]]);
  return pairs
    .flat()
    .filter((address) => address !== undefined)
    .slice(0, MAX_ADDRESSES);
}
