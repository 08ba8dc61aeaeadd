/** A bound on what the application's own discovery may take. */
import type { Clock } from '../platform/ports.js';
import type { Resolver } from './resolver.js';
import { withDeadline } from './with-deadline.js';

/** Milliseconds that a source may take (R32). */
const ANSWER_TIMEOUT_MS = 10_000;

/** `resolver`, which answers, fails or is given up within ten seconds, and at once when its signal is aborted. */
export function inTime(resolver: Pick<Resolver, 'resolve'>, clock: Clock): Resolver {
  const late = () => new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`);
  return {
    resolve: (signal) =>
      withDeadline(clock, ANSWER_TIMEOUT_MS, signal, late, (limit) => resolver.resolve(limit)),
  };
}
