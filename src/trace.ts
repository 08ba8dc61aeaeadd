/** What event `trace` tells: one line for each step of a connection's life. */
import type { FailoverError } from './errors.js';
import type { EventSink, TraceStep } from './events.js';

/** A duration as people read it: `3.2 ms`, `250 ms`, `1.0 s`. */
export function inWords(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}

/** Tells of a step at an endpoint that took `ms` milliseconds, where there is something to measure. */
export function traceStep(
  events: EventSink,
  endpoint: string,
  step: TraceStep,
  text: string,
  ms: number | null = null,
): void {
  events.emit('trace', { endpoint, step, text, ms, code: null });
}

/** Tells of something that failed at an endpoint. */
export function traceFailure(
  events: EventSink,
  endpoint: string,
  step: 'failed' | 'lost',
  { message: text, code, reasonCode }: FailoverError,
  ms: number | null = null,
): void {
  events.emit('trace', { endpoint, step, text, ms, code: reasonCode ?? code });
}
