// npm run docs                writes every page that is generated
// npm run docs -- --check     writes nothing, and fails when one of them is not what it would be
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiPage } from './api-page.js';
import { Comparison } from './comparison.js';
import { comparisonCharts } from './comparison-charts.js';
import { benchmarkPage, withComparison } from './comparison-pages.js';
import { optionsPage, withOptionsTable } from './options-pages.js';
import { outcomesPage } from './outcomes-page.js';
import { Simulated } from './simulated.js';

process.chdir(fileURLToPath(new URL('../../', import.meta.url)));

const comparison = Comparison.read();
const simulated = Simulated.read();
const pages = {
  'README.md': withComparison(withOptionsTable(readFileSync('README.md', 'utf8')), comparison),
  'docs/benchmark.md': benchmarkPage(comparison),
  ...comparisonCharts(comparison),
  'docs/simulator.md': simulated.page(readFileSync('docs/simulator.md', 'utf8')),
  ...simulated.charts(),
  'docs/options.md': optionsPage(),
  'docs/outcomes.md': outcomesPage(),
  'docs/api/README.md': await apiPage(),
  'docs/api/opentelemetry.md': await apiPage({
    source: 'src/opentelemetry/opentelemetry.ts',
    name: 'mqtt-failover/opentelemetry',
  }),
  'docs/api/simulator.md': await apiPage({
    source: 'src/simulator/index.ts',
    name: 'mqtt-failover/simulator',
  }),
};

const stale = Object.entries(pages).filter(([path, text]) => read(path) !== text);
if (process.argv.includes('--check')) {
  if (stale.length > 0) {
    console.error(`Not what it is generated from: ${stale.map(([path]) => path).join(', ')}. npm run docs`);
    process.exitCode = 1;
  }
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(path);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
