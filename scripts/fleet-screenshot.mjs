// node --import tsx scripts/fleet-screenshot.mjs [folder]
// Makes the README's picture, docs/fleet-light.png and docs/fleet-dark.png: the fleet page in the middle of some trouble.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fleetDemo } from '../test/support/fleet-demo.js';
import { launchChromium } from '../test/support/page.js';

const folder = process.argv[2] ?? fileURLToPath(new URL('../docs/', import.meta.url));
/** CSS pixels; a README is about as wide. */
const WIDTH = 960;
/** Pixels of the file for each of them: letters stay sharp where the picture is shown smaller. */
const SCALE = 1.25;

/** What to press, and how long to look at it, in milliseconds. The last thing is still going on in the picture. */
const STORY = [
  [undefined, 6_000],
  ['Kill n1', 6_000],
  ['Start n1', 9_000],
  ['Add a broker', 10_000],
  ['Drain n3', 8_000],
  ['Put back n3', 9_000],
  ['Kill n2', 6_000],
  ['Hang n4', 1_200],
];

const demo = await fleetDemo();
const browser = await launchChromium();
try {
  const page = await browser.newPage({
    viewport: { width: WIDTH, height: 720 },
    deviceScaleFactor: SCALE,
    colorScheme: 'light',
  });
  await page.goto(demo.url);
  for (const [name, ms] of STORY) {
    if (name) await page.getByRole('button', { name, exact: true }).click();
    await page.waitForTimeout(ms);
  }
  await page.mouse.move(0, 0);
  // Down to the charts: the words below them are for visitors.
  const charts = await page.locator('#charts').boundingBox();
  const clip = { x: 0, y: 0, width: WIDTH, height: Math.ceil((charts?.y ?? 0) + (charts?.height ?? 0) + 20) };
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(folder, `fleet-${colorScheme}.png`), clip, fullPage: true });
  }
} finally {
  await browser.close();
  await demo[Symbol.asyncDispose]();
}
