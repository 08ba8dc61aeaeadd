/** Follows a broker that names another endpoint, within the list and not for ever (R93–R95). */
import type { Endpoint } from '../endpoint.js';
import type { Clock } from '../platform/ports.js';

/** Bounds on what a broker may send (R93). */
const MAX_REFERENCE_LENGTH = 1_024;
const MAX_ENTRIES = 16;
/** Redirects that are followed without a stable link between them (D18). */
const MAX_HOPS = 3;
/** Milliseconds within which redirects count as one chain, unless a link comes about. */
const CHAIN_MS = 60_000;
/** Milliseconds that the target of "use another server" is preferred; "server moved" holds until the list changes. */
const TEMPORARY_MS = 600_000;

/** Reason code 0x9D, "server moved". */
const SERVER_MOVED = 0x9d;

/** What a redirect came to. */
export interface RedirectVerdict {
  /** Id of the endpoint to use instead; `null` when there is none, and the client chooses by rank. */
  readonly to: string | null;
  readonly reason: string;
}

/** One host of a Server Reference. */
interface Reference {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * Reads a Server Reference: hosts with optional ports, separated by spaces (MQTT 5.0 §4.11, not normative).
 *
 * It comes from outside: bounded, and entries that are not hosts are skipped.
 */
export function parseServerReference(text: string | undefined): readonly Reference[] {
  if (text === undefined || text.length > MAX_REFERENCE_LENGTH) return [];
  const entries = text
    .split(' ')
    .filter((entry) => entry !== '')
    .slice(0, MAX_ENTRIES);
  return entries.flatMap((entry) => {
    const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::(\d{1,5}))?$/i.exec(entry);
    const host = (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
    // Some brokers send the word for a reference that they do not have.
    if (!host || host === 'undefined') return [];
    const port = match?.[3] === undefined ? undefined : Number(match[3]);
    return port === undefined || (port >= 1 && port <= 65_535) ? [{ host, port }] : [];
  });
}

/** Remembers where brokers have sent us, and when to stop listening to them. */
export class Redirects {
  readonly #clock: Clock;
  #chain: string[] = [];
  #chainStartedAt = Number.NEGATIVE_INFINITY;
  #preferred: { readonly id: string; readonly until: number; readonly list: readonly Endpoint[] } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Decides on a redirect by `from`.
   *
   * Only endpoints of the list are followed, each at its own URL: a broker often names the port of another listener,
   * and must not lead us to a weaker scheme or to a host that nobody authorised (R94).
   *
   * @param ranked - Endpoints that can be dialed, best first.
   */
  follow(
    from: string,
    code: number,
    reference: string | undefined,
    ranked: readonly Endpoint[],
  ): RedirectVerdict {
    const now = this.#clock.now();
    if (now - this.#chainStartedAt > CHAIN_MS) this.#chain = [];
    if (this.#chain.length === 0) this.#chainStartedAt = now;
    this.#chain.push(from);
    const wanted = parseServerReference(reference);
    if (wanted.length === 0) return { to: null, reason: 'the broker names no other' };
    const known = ranked.filter(({ host }) => wanted.some((each) => each.host === host));
    const exact = known.find(({ host, port }) =>
      wanted.some((each) => each.host === host && each.port === port),
    );
    const target = exact ?? known[0];
    if (!target) return { to: null, reason: 'the broker names a host that is not in the list' };
    if (this.#chain.includes(target.id)) return { to: null, reason: 'the brokers send us in a circle' };
    if (this.#chain.length > MAX_HOPS)
      return { to: null, reason: `more than ${MAX_HOPS} redirects in a row` };
    const until = code === SERVER_MOVED ? Number.POSITIVE_INFINITY : now + TEMPORARY_MS;
    this.#preferred = { id: target.id, until, list: ranked };
    return { to: target.id, reason: 'the broker names it' };
  }

  /** A link came about: a later redirect starts a new chain. */
  linked(): void {
    this.#chain = [];
  }

  /** An endpoint failed: a redirect to it is void. */
  failed(id: string): void {
    if (this.#preferred?.id === id) this.#preferred = undefined;
  }

  /** `ranked` with the endpoint that a broker has sent us to in front, while that holds. */
  order(ranked: readonly Endpoint[]): readonly Endpoint[] {
    const { id, until, list } = this.#preferred ?? {};
    const target = ranked.find((endpoint) => endpoint.id === id);
    const expired = until !== undefined && until < this.#clock.now();
    // "Moved" holds until the list says otherwise.
    const changed = list !== undefined && ranked.some((endpoint) => !list.includes(endpoint));
    if (!target || expired || changed) {
      if (expired || changed) this.#preferred = undefined;
      return ranked;
    }
    return [target, ...ranked.filter((endpoint) => endpoint !== target)];
  }
}
