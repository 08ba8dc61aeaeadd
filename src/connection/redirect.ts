/** Follows a broker that names another endpoint, to where that is allowed and not for ever (R93–R95). */
import { createEndpoint, type Endpoint } from '../endpoint.js';
import type { Clock } from '../platform/ports.js';
import { rank } from '../selection/rank.js';

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
const UNLISTED = 'the broker names a host that is not in the list (discovery.allowedHosts can permit it)';
/** Tier of an endpoint that only a broker has named: after everything that is listed, once it is not preferred. */
const LAST_TIER = 65_535;

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

export interface RedirectsDeps {
  readonly clock: Clock;
  readonly clientId: () => string;
  /** Why an endpoint must not be dialed at all; `undefined` when it may. */
  readonly refusal: (endpoint: Endpoint) => string | undefined;
}

/** Remembers where brokers have sent us, and when to stop listening to them. */
export class Redirects {
  readonly #deps: RedirectsDeps;
  #chain: string[] = [];
  #chainStartedAt = Number.NEGATIVE_INFINITY;
  #preferred: { readonly id: string; readonly until: number } | undefined;
  #guest: Endpoint | undefined;

  constructor(deps: RedirectsDeps) {
    this.#deps = deps;
  }

  /** The endpoint outside the list that a broker has sent us to, until the list changes or it fails. */
  get guest(): Endpoint | undefined {
    return this.#guest;
  }

  /**
   * Decides on a redirect by `from`.
   *
   * An endpoint of the list is used at its own URL: a broker often names the port of another listener, and must not lead
   * us to a weaker scheme. Any other host must be one of `discovery.allowedHosts`, and is dialed with the scheme and the
   * path of `from` (R94).
   *
   * @param ranked - Endpoints that can be dialed, best first.
   */
  follow(
    from: Endpoint,
    code: number,
    reference: string | undefined,
    ranked: readonly Endpoint[],
  ): RedirectVerdict {
    const now = this.#deps.clock.now();
    if (now - this.#chainStartedAt > CHAIN_MS) this.#chain = [];
    if (this.#chain.length === 0) this.#chainStartedAt = now;
    this.#chain.push(from.id);
    const wanted = parseServerReference(reference);
    if (wanted.length === 0) return { to: null, reason: 'the broker names no other' };
    const listed = bestOf(wanted, ranked);
    const guest = listed ? undefined : this.#guestOf(wanted, from);
    const target = listed ?? guest;
    if (!target) return { to: null, reason: UNLISTED };
    const { id } = target;
    if (this.#chain.includes(id)) return { to: null, reason: 'the brokers send us in a circle' };
    if (this.#chain.length > MAX_HOPS)
      return { to: null, reason: `more than ${MAX_HOPS} redirects in a row` };
    this.#preferred = { id, until: code === SERVER_MOVED ? Number.POSITIVE_INFINITY : now + TEMPORARY_MS };
    if (!listed || listed !== this.#guest) this.#guest = guest;
    return { to: id, reason: 'the broker names it' };
  }

  /** The best of the hosts outside the list that may be dialed, if there is one. */
  #guestOf(wanted: readonly Reference[], { scheme, path, port }: Endpoint): Endpoint | undefined {
    const { clientId, refusal } = this.#deps;
    const guests = wanted.flatMap((each) => {
      const host = each.host.includes(':') ? `[${each.host}]` : each.host;
      const init = { scheme, authority: `${host}:${each.port ?? port}`, path } as const;
      try {
        const guest = createEndpoint(
          { ...init, priority: LAST_TIER, origin: 'redirect' },
          'Server Reference',
        );
        return refusal(guest) === undefined ? [guest] : [];
      } catch {
        // Not a host and port.
        return [];
      }
    });
    return rank(clientId(), guests)[0];
  }

  /** A link came about: a later redirect starts a new chain. */
  linked(): void {
    this.#chain = [];
  }

  /** An endpoint failed: a redirect to it is void. */
  failed(id: string): void {
    if (this.#preferred?.id === id) this.#preferred = undefined;
    if (this.#guest?.id === id) this.#guest = undefined;
  }

  /** The list has changed, and knows better than what a broker said before. */
  listChanged(): void {
    this.#preferred = undefined;
    this.#guest = undefined;
  }

  /** `ranked` with the endpoint that a broker has sent us to in front, while that holds. */
  order(ranked: readonly Endpoint[]): readonly Endpoint[] {
    if (!this.#preferred) return ranked;
    if (this.#preferred.until < this.#deps.clock.now()) this.#preferred = undefined;
    const { id } = this.#preferred ?? {};
    const target = ranked.find((endpoint) => endpoint.id === id);
    return target ? [target, ...ranked.filter((endpoint) => endpoint !== target)] : ranked;
  }
}

/** The best of `ranked` that is named with its port, else with its host alone. */
function bestOf(wanted: readonly Reference[], ranked: readonly Endpoint[]): Endpoint | undefined {
  const known = ranked.filter(({ host }) => wanted.some((each) => each.host === host));
  const isExact = ({ host, port }: Endpoint) =>
    wanted.some((each) => each.host === host && each.port === port);
  return known.find(isExact) ?? known[0];
}
