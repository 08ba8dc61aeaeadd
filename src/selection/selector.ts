/** Strategies for the order in which a client tries endpoints. */
import type { Endpoint } from '../endpoint.js';
import { FailoverError, messageOf, redactUrls } from '../errors.js';
import type { Random } from '../platform/ports.js';
import { rank } from './rank.js';

/** Orders endpoints for one client. */
export interface Selector {
  /**
   * Ranks every endpoint, best first; the tail is the fail-over order. Must not mutate or keep `endpoints`, must be
   * synchronous, and must return each of them once. Health and the operator's word are applied afterwards.
   *
   * One that throws or returns anything else is reported as `discovery-error` with source `selection`, and the ranking
   * by client id stands in for it.
   *
   * @param key - The client id.
   */
  rank(key: string, endpoints: readonly Endpoint[]): readonly Endpoint[];
  /**
   * Whether the order is by `priority` first, then by zone: then spill, slow start and load hints are applied to it.
   * Left out, the order is taken as it is.
   */
  readonly tiered?: boolean;
}

/** A selector of ours, which answers rightly, and always the same for the same key and list. */
interface SteadySelector extends Selector {
  readonly steady: true;
}

/** Consistent by client id: the default. */
export function clientIdSelector(zone: string | undefined): SteadySelector {
  return { rank: (key, endpoints) => rank(key, endpoints, { zone }), tiered: true, steady: true };
}

/** In the order of the list within each tier and zone, as other clients do; everyone's first choice is the same. */
export function orderedSelector(zone?: string): SteadySelector {
  const away = (endpoint: Endpoint) => (zone === undefined || endpoint.zone === zone ? 0 : 1);
  return {
    rank: (_key, endpoints) => [...endpoints].sort((a, b) => a.priority - b.priority || away(a) - away(b)),
    tiered: true,
    steady: true,
  };
}

/**
 * One draw per client for all its life: like `client-id`, but for a key that dies with the process.
 *
 * Drawing anew at every attempt would move clients needlessly.
 */
export function randomSelector(random: Random, zone: string | undefined): SteadySelector {
  const key = `${random.next()}`;
  return { rank: (_key, endpoints) => rank(key, endpoints, { zone }), tiered: true, steady: true };
}

/** The selector that option `selection` means. */
export function selectorFor(
  selection: 'client-id' | 'random' | 'ordered' | Selector,
  zone: string | undefined,
  random: Random,
): Selector {
  if (typeof selection === 'object') return selection;
  if (selection === 'ordered') return orderedSelector(zone);
  if (selection === 'random') return randomSelector(random, zone);
  return clientIdSelector(zone);
}

/**
 * Stands between the library and a selector of the application's own: whatever that does, the client has a ranking (S9).
 *
 * @param onFault - Told of the first wrong answer, and again of one that follows a right answer.
 */
export function checkedSelector(
  selector: Selector,
  zone: string | undefined,
  onFault: (error: FailoverError) => void,
): Selector {
  if (isSteady(selector)) return remembering(selector);
  const fallback = clientIdSelector(zone);
  let isFaulty = false;
  return {
    tiered: selector.tiered === true,
    rank: (key, endpoints) => {
      try {
        const ranked = checkRanking(selector.rank(key, endpoints), endpoints);
        isFaulty = false;
        return ranked;
      } catch (cause) {
        if (!isFaulty) {
          isFaulty = true;
          const problem = redactUrls(messageOf(cause));
          const text = `Option \`selection\` must have a rank() that returns each endpoint once, got: ${problem}. The ranking by client id is used instead`;
          onFault(new FailoverError('ERR_OPTION', text, { cause }));
        }
        return fallback.rank(key, endpoints);
      }
    },
  };
}

function isSteady(selector: Selector | SteadySelector): selector is SteadySelector {
  return 'steady' in selector && selector.steady;
}

/** Ranks once for each list: a client asks every few seconds whether it is where it should be. */
function remembering({ rank: rankAnew, tiered = false }: SteadySelector): Selector {
  let last: { readonly key: string; readonly endpoints: readonly Endpoint[] } | undefined;
  let ranked: readonly Endpoint[] = [];
  return {
    tiered,
    rank: (key, endpoints) => {
      if (last?.endpoints !== endpoints || last.key !== key) {
        last = { key, endpoints };
        ranked = rankAnew(key, endpoints);
      }
      return ranked;
    },
  };
}

/** A copy of `answer`, which its author may keep. Throws when it is not a permutation of `endpoints`. */
function checkRanking(answer: unknown, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (!Array.isArray(answer)) {
    // A promise that nobody waits for must not end the process when it is rejected.
    if (answer instanceof Promise) answer.catch(() => {});
    throw new TypeError(answer instanceof Promise ? 'a promise' : 'no array');
  }
  const missing = new Set(endpoints);
  const ranked: Endpoint[] = [];
  for (const endpoint of answer as Endpoint[]) {
    if (!missing.delete(endpoint)) throw new TypeError('an endpoint twice, or one that is not in the list');
    ranked.push(endpoint);
  }
  if (missing.size > 0) throw new TypeError(`${missing.size} of ${endpoints.length} endpoints missing`);
  return ranked;
}
