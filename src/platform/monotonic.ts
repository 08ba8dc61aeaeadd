/** Milliseconds since an arbitrary start, by a clock that never jumps; every runtime has it. */
export function monotonicMs(): number {
  return performance.now();
}
