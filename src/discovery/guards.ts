/** Answers of a source that came in good order and still must not be believed at once (R46–R48). Pure. */
import type { Endpoint } from '../endpoint.js';
import type { EndpointSet } from './resolver.js';

/** Replicas of a registry may lag by this much without a word (R48). */
const MAX_LAG_MS = 5 * 60_000;
/** Lists shorter than this lose half of their nodes in everyday work. */
const GUARDED_SIZE = 4;
/** Share of the nodes that may go at once. */
const MAX_LOSS = 0.5;

/** Milliseconds after which a second answer confirms a loss (R47). */
export const CONFIRM_AFTER_MS = 5_000;

/** An empty list is a failure of the source, not a decision of the operator, unless it says so (R18, R46). */
export function isAccidentallyEmpty({ endpoints, empty }: EndpointSet): boolean {
  return endpoints.length === 0 && !empty;
}

/** The answer was made well before the one in use: a replica that lags, or a replay (R48). */
export function isOutdated(current: EndpointSet | undefined, answer: EndpointSet): boolean {
  if (current?.generatedAt === undefined || answer.generatedAt === undefined) return false;
  return answer.generatedAt < current.generatedAt - MAX_LAG_MS;
}

/** Says why an endpoint must not be dialed, if so; see `Authorisation.refusal`. */
export type RefusalOf = (endpoint: Endpoint) => string | undefined;

/**
 * Why none of the answer may be dialed, where something in use may: a list that is forged, or of another cluster, is no
 * reason to forget the good one (R171). `undefined` for every other answer.
 */
export function refusalOfAll(
  current: EndpointSet | undefined,
  { endpoints }: EndpointSet,
  refusal: RefusalOf,
): string | undefined {
  if (!current?.endpoints.some((endpoint) => refusal(endpoint) === undefined)) return undefined;
  const reasons = endpoints.map(refusal);
  return reasons.includes(undefined) ? undefined : reasons[0];
}

/** The answer removes or downs more than half of four or more nodes: more likely a sick registry than a sick cluster (R47). */
export function losesMost(current: EndpointSet | undefined, answer: EndpointSet): boolean {
  if (!current || !answer.confirmShrink) return false;
  const inUse = current.endpoints.filter(({ state }) => state !== 'down');
  if (inUse.length < GUARDED_SIZE) return false;
  const left = new Set(answer.endpoints.filter(({ state }) => state !== 'down').map(({ id }) => id));
  const lost = inUse.filter(({ id }) => !left.has(id)).length;
  return lost > MAX_LOSS * inUse.length;
}
