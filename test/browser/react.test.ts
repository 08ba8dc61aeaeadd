// The React example: it shows who serves it, survives the loss of that broker, and delivers what was clicked meanwhile.
// World: the example as Vite builds it, headless Chromium, two aedes brokers behind one store. Fake: nothing.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { aedesCluster } from '../support/aedes-cluster.js';
import { exampleByVite } from '../support/bundles.js';
import { browserPage } from '../support/page.js';

it('follows the broker in its status, and publishes over the loss of one', async () => {
  await using cluster = await aedesCluster(2);
  const index = await readFile(new URL('../../examples/react/index.html', import.meta.url), 'utf8');
  assert.ok(index.includes('./main.tsx'), 'the page loads its entry');
  const files = await exampleByVite('react');
  await using opened = await browserPage({ html: index.replace('./main.tsx', '/app/main.js'), files });
  const { page } = opened;
  const urls = [...cluster].map((broker) => broker.wsUrl);
  await page.goto(`${page.url()}?brokers=${urls[0]},${urls[1]?.replace('ws://', '')}`);
  const status = page.getByRole('status');
  const serves = async (text: string) =>
    page.waitForFunction((wanted) => document.querySelector('[role=status]')?.textContent === wanted, text);
  await page.waitForFunction(() => document.body.textContent?.includes('Connected to'));
  const first = [...cluster].findIndex((broker) => broker.connected.size === 1);
  const [home, other] = [urls[first], urls[1 - first]].map((url) => new URL(`${url}`).host);
  assert.equal(await status.textContent(), `Connected to ${home}`);

  await cluster.at(first)?.kill();
  await page.getByRole('button', { name: 'Run at 1200' }).click();
  await serves(`Connected to ${other}`);
  await page.getByText('Speed: 1200').waitFor();
  assert.deepEqual(
    cluster.at(1 - first)?.publishes.map(({ topic, payload }) => [topic, payload]),
    [['pumps/17/speed', '1200']],
  );
  assert.deepEqual(opened.errors, []);
});
