/** Cost of a registry's answer: from its text to the endpoint set in use, and to the `topology` event. */
import { readDocument } from '../../../src/discovery/registry/document.js';
import { toEndpointSet } from '../../../src/discovery/registry/endpoint-set.js';
import { parseJson } from '../../../src/discovery/registry/json.js';
import { recognise } from '../../../src/discovery/registry/mappings/recognise.js';
import { Watcher } from '../../../src/discovery/watcher.js';
import { nodePlatform } from '../../../src/platform/node.js';
import { medianCells, number } from '../../support/format.js';
import type { Scenario, ScenarioResult } from '../../support/scenario.js';
import { median, quantile } from '../../support/statistics.js';

const SIZES = [10, 100, 1_000];
const LIMIT_SIZE = 1_000;
const LIMIT_MS = 20;
const SCHEMES = nodePlatform.network.schemes;

/** Milliseconds from the text of a list, in which one node in ten has changed, to the applied endpoint set. */
export const registryParse: Scenario = {
  name: 'registry-parse',
  about: 'ms to parse, check and diff a registry document of 10, 100 and 1000 nodes',
  rounds: 200,
  quickRounds: 5,
  async run({ rounds, progress }): Promise<ScenarioResult> {
    const sizes = SIZES.map((size) => ({ size, watch: watcherOf(size), samples: [] as number[] }));
    for (let round = 0; round < rounds; round += 1) {
      progress.round(round, rounds);
      for (const { watch, samples } of sizes) {
        const start = performance.now();
        await watch(round);
        samples.push(performance.now() - start);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return {
      series: sizes.map(({ size, samples }) => ({ name: `registry ${size}`, unit: 'ms', samples })),
      tables: [
        {
          title: 'One answer, ms',
          head: ['nodes', 'median', 'p10 – p90', 'p99', 'the first'],
          rows: sizes.map(({ size, samples }) => [
            String(size),
            ...medianCells(samples),
            number(quantile(samples, 0.99)),
            number(samples[0] as number),
          ]),
        },
      ],
      targets: sizes
        .filter(({ size }) => size === LIMIT_SIZE)
        .map(({ size, samples }) => ({
          what: `parse, check and diff ${size} nodes, median`,
          value: median(samples),
          limit: LIMIT_MS,
          unit: 'ms',
        })),
      notes: [
        'Measured from src/: the parts are no public names. The first answer of a process is not warmed up.',
      ],
      faults: [],
    };
  },
};

/** A watcher that reads the text of round `n`. */
function watcherOf(size: number): (round: number) => Promise<unknown> {
  const texts = [0, 1].map((version) => textOf(size, version));
  let text = '';
  const { clock, random } = nodePlatform;
  const watcher = new Watcher({
    resolver: {
      resolve: async () =>
        toEndpointSet(readDocument(recognise(parseJson(text), {}).document), {
          schemes: SCHEMES,
          ttlMs: 1_000,
          origin: 'registry',
        }),
    },
    clock,
    random,
    events: { emit: () => {} },
    refreshMs: undefined,
  });
  return (round) => {
    text = texts[round % 2] as string;
    return watcher.refresh();
  };
}

/** About 220 bytes a node, as in the documented example; one weight in ten depends on `version`. */
function textOf(size: number, version: number): string {
  return JSON.stringify({
    schema: 'mqtt-nodes/1',
    revision: String(version),
    nodes: Array.from({ length: size }, (_, i) => ({
      id: `node-${i}`,
      urls: [`mqtts://node-${i}.example.com:8883`, `wss://node-${i}.example.com/mqtt`],
      weight: i % 10 === 0 ? 100 + version : 100,
      zone: `eu-${i % 3}`,
      load: 0.42,
      since: '2026-11-20T12:00:00Z',
    })),
  });
}
