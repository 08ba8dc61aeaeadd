/**
 * The simulator: how wide must a fleet spread after the loss of a broker? The real clients, on a virtual clock.
 *
 *     node --import tsx examples/13-simulate.ts
 *
 * Prints:
 *
 *     spread over default: at most 29 CONNECTs in 100 ms, half back after 140 ms
 *     spread over 5 s: at most 3 CONNECTs in 100 ms, half back after 3290 ms
 *     spread over 30 s: at most 2 CONNECTs in 100 ms, half back after 19410 ms
 */
import { simulate } from 'mqtt-failover/simulator';

for (const spreadMs of [undefined, 5_000, 30_000]) {
  const { report } = await simulate({
    scenario: 'node-dies',
    clients: 200,
    endpoints: 5,
    seed: 1,
    ...(spreadMs === undefined ? {} : { spreadMs }),
  });
  const over = spreadMs === undefined ? 'default' : `${spreadMs / 1_000} s`;
  const { connectsPeakPer100ms: peak, recoverP50Ms: half } = report;
  console.log(`spread over ${over}: at most ${peak} CONNECTs in 100 ms, half back after ${half} ms`);
}
