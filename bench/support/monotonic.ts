/** A clock that all processes of a machine share and nobody sets: CLOCK_MONOTONIC, in milliseconds. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
