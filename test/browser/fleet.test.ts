// The fleet page does what it shows: its buttons change real brokers, its dots follow real clients, and nothing is lost.
// World: `npm run demo -- --web` as a process, and headless Chromium on its page, in which 24 clients of the built
// bundle live. Fake: nothing.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Page } from 'playwright-core';
import { rank } from '../../src/index.js';
import { type FleetDemo, fleetDemo } from '../support/fleet-demo.js';
import { launchChromium } from '../support/page.js';

const CLIENTS = 24;
/** Where the last run left what it saw. */
const PICTURES = join(tmpdir(), 'mqtt-failover-fleet');
const PHONE = { width: 360, height: 740 };
/** Where the clients belong, as Node says. */
const HOMES = homes(['n1', 'n2', 'n3']);

/** A visitor on the page. */
interface Fleet extends AsyncDisposable {
  readonly demo: FleetDemo;
  readonly page: Page;
  /** Errors in the page's console, but for those with which Chromium tells of a refused WebSocket. */
  readonly errors: string[];
}

function homes(brokers: readonly string[]): Record<string, number> {
  const on = Object.fromEntries(brokers.map((id) => [id, 0]));
  for (let n = 1; n <= CLIENTS; n += 1) {
    const [home] = rank(
      `sensor-${`${n}`.padStart(2, '0')}`,
      brokers.map((id) => ({ id })),
    );
    if (home) on[home.id] = (on[home.id] ?? 0) + 1;
  }
  return on;
}

/** Opens the page and waits until all clients are where they belong. */
async function fleet(): Promise<Fleet> {
  const demo = await fleetDemo();
  const browser = await launchChromium();
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    const isRefusal = message.text().startsWith('WebSocket connection to');
    if (message.type() === 'error' && !isRefusal) errors.push(message.text());
  });
  await page.goto(demo.url);
  const opened = {
    demo,
    page,
    errors,
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      await demo[Symbol.asyncDispose]();
    },
  };
  await placed(page, isHome);
  return opened;
}

/** One that found its broker slow at first goes home a little later. */
function isHome(on: Record<string, number>): boolean {
  return isDeepStrictEqual(on, HOMES);
}

/** Clients on each broker, as its card says. */
async function placement(page: Page): Promise<Record<string, number>> {
  const entries = await page
    .locator('.broker')
    .evaluateAll((cards) =>
      cards.map((card) => [
        (card as HTMLElement).dataset.broker,
        Number.parseInt(card.querySelector('.count')?.textContent ?? '', 10),
      ]),
    );
  return Object.fromEntries(entries);
}

/** Waits until the clients are placed so. */
async function placed(page: Page, isSo: (on: Record<string, number>) => boolean) {
  const deadline = performance.now() + 25_000;
  for (;;) {
    const on = await placement(page);
    if (isSo(on)) return on;
    assert.ok(performance.now() < deadline, `the clients are on ${JSON.stringify(on)}`);
    await page.waitForTimeout(50);
  }
}

function sum(on: Record<string, number>): number {
  return Object.values(on).reduce((total, n) => total + n, 0);
}

/** A figure of the totals. */
async function total(page: Page, id: string): Promise<number> {
  return Number((await page.locator(`#${id}`).innerText()).replaceAll(',', ''));
}

/** Waits until everything that is published by now is acknowledged, and the server has been asked for it. */
async function settled(page: Page): Promise<void> {
  const published = await total(page, 'published');
  await page.waitForFunction(
    (least) => Number(document.getElementById('acknowledged')?.textContent?.replaceAll(',', '')) >= least,
    published,
  );
  await page.waitForResponse((response) => response.url().includes('/state.json?session='));
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

describe('the fleet page', { timeout: 300_000 }, () => {
  it('shows the clients of a killed broker on the others, and loses nothing', async () => {
    await using opened = await fleet();
    const { page, errors } = opened;
    // From the keyboard: the button is one, and keeps the focus although its word changes.
    await page.getByRole('button', { name: 'Kill n1' }).focus();
    await page.keyboard.press('Enter');
    const after = await placed(page, (on) => on.n1 === 0 && sum(on) === CLIENTS);
    for (const id of ['n2', 'n3']) assert.ok((after[id] ?? 0) >= (HOMES[id] ?? 0), id);
    assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), 'Start n1');
    const journal = await page.locator('#journal li').allInnerTexts();
    const moves = journal.filter((line) =>
      /sensor-\d\d failed over from n1 to n[23] in [\d.]+ m?s/.test(line),
    );
    // On a busy machine one more may just have come home.
    assert.ok(moves.length >= (HOMES.n1 ?? 0), journal.join('\n'));
    // Dots are where the words say.
    const dotsOnFirst = await page.evaluate(() => {
      const card = document.querySelector('[data-broker=n1]')?.getBoundingClientRect();
      return [...document.querySelectorAll('.dot')].filter((dot) => {
        const to = new DOMMatrix((dot as HTMLElement).style.transform);
        const stage = document.getElementById('stage')?.getBoundingClientRect();
        const x = (stage?.left ?? 0) + to.e;
        const y = (stage?.top ?? 0) + to.f;
        return card && x >= card.left && x < card.right && y >= card.top && y < card.bottom;
      }).length;
    });
    assert.equal(dotsOnFirst, 0);
    await page.waitForFunction(() =>
      document.getElementById('announcer')?.textContent?.includes('failed over'),
    );
    await press(page, 'Start n1');
    await placed(page, isHome);
    await settled(page);
    assert.ok((await total(page, 'acknowledged')) > CLIENTS);
    assert.equal(await total(page, 'lost'), 0);
    assert.deepEqual(errors, []);
  });

  it('shows that silence is noticed', async () => {
    await using opened = await fleet();
    const { page, errors } = opened;
    await press(page, 'Hang n2');
    // What it means is said where the visitor looks; the journal is far below on a phone.
    await page.locator('#caption', { hasText: 'You hung n2: still open, but silent' }).waitFor();
    await page.waitForSelector('.dot.waiting');
    await placed(page, (on) => on.n2 === 0 && sum(on) === CLIENTS);
    const journal = await page.locator('#journal').innerText();
    assert.match(journal, /failed over from n2 to n[13] in [\d.]+ m?s, after [\d.]+ s of silence/);
    await press(page, 'Resume n2');
    await placed(page, (on) => (on.n2 ?? 0) > 0 && sum(on) === CLIENTS);
    await settled(page);
    assert.equal(await total(page, 'lost'), 0);
    assert.deepEqual(errors, []);
  });

  it('brings only those to a new broker that belong there, and empties one that drains', async () => {
    await using opened = await fleet();
    const { page, errors } = opened;
    await press(page, 'Add a broker');
    const grown = await placed(page, (on) => (on.n4 ?? 0) > 0 && sum(on) === CLIENTS);
    for (const id of ['n1', 'n2', 'n3']) assert.ok((grown[id] ?? 0) <= (HOMES[id] ?? 0), id);
    await press(page, 'Drain n3');
    await placed(page, (on) => on.n3 === 0 && sum(on) === CLIENTS);
    const journal = await page.locator('#journal').innerText();
    assert.match(journal, /sensor-\d\d moved by plan from n3 to n[124], [\d.]+ ms between the links/);
    assert.doesNotMatch(journal, /failed over/);
    await press(page, 'Put back n3');
    await placed(page, (on) => (on.n3 ?? 0) > 0);
    await settled(page);
    assert.equal(await total(page, 'lost'), 0);
    assert.deepEqual(errors, []);
  });

  it('counts as lost what was acknowledged and is at no broker, and what was refused', async () => {
    await using opened = await fleet();
    const totals = await opened.page.evaluate(async (path) => {
      const { Books } = await import(path);
      const books = new Books([
        { name: 'a', published: 9, acknowledged: 7, refused: 0, complete: 7 },
        { name: 'b', published: 5, acknowledged: 4, refused: 1, complete: 4 },
      ]);
      // Of `a`, numbers 6 and 7 are missing; of `b`, more has arrived than is acknowledged, which is usual.
      await books.check(async () => ({ arrived: { a: 5, b: 5 } }));
      return books.totals;
    }, '/books.js');
    assert.deepEqual(totals, { published: 14, acknowledged: 11, waiting: 2, lost: 3 });
  });

  it('fits a phone and a desktop in both themes, and keeps the theme that was chosen', async (t) => {
    await using opened = await fleet();
    const { page, errors } = opened;
    t.diagnostic(`pictures to look at are in ${PICTURES}`);
    const grounds = new Set<string>();
    for (const viewport of [PHONE, { width: 1180, height: 900 }]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const path = join(PICTURES, `fleet-${viewport.width}-${colorScheme}.png`);
        const picture = await page.screenshot({ fullPage: true, path });
        assert.ok(picture.length > 10_000);
        grounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      }
    }
    assert.equal(grounds.size, 2);
    const theme = page.getByRole('switch', { name: 'Dark theme' });
    assert.equal(await theme.getAttribute('aria-checked'), 'true');
    await theme.click();
    await page.reload();
    assert.equal(await theme.getAttribute('aria-checked'), 'false');
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'light');
    assert.deepEqual(errors, []);
  });

  it('fits a phone after a day, and does not move its buttons when a broker goes', async () => {
    await using opened = await fleet();
    const { page, errors } = opened;
    await page.setViewportSize(PHONE);
    const fits = await page.evaluate(() => {
      // In one go, as the page writes its own figures.
      const totals = document.querySelector('.totals dl') as HTMLElement;
      const { innerHTML } = totals;
      for (const figure of totals.querySelectorAll('dd')) figure.textContent = '5,529,600';
      const isInside = totals.scrollWidth <= totals.clientWidth;
      totals.innerHTML = innerHTML;
      return isInside;
    });
    assert.ok(fits);
    const tops = () =>
      page.locator('.buttons').evaluateAll((all) => all.map((each) => each.getBoundingClientRect().top));
    await page.evaluate(() => scrollTo(0, 0));
    const before = await tops();
    await page.evaluate(() => (document.querySelector('[aria-label="Kill n1"]') as HTMLElement).click());
    await placed(page, (on) => on.n1 === 0 && sum(on) === CLIENTS);
    assert.deepEqual(await tops(), before);
    assert.deepEqual(errors, []);
  });

  it('keeps what colours say where the system forces its own', async () => {
    await using opened = await fleet();
    const { page } = opened;
    await page.emulateMedia({ forcedColors: 'active' });
    const grounds = await page
      .locator('.dot')
      .evaluateAll((dots) => dots.map((dot) => getComputedStyle(dot).backgroundColor));
    assert.equal(new Set(grounds).size, 3);
  });

  it('says so when the demo is stopped with Ctrl-C, which ends it in good order', async () => {
    await using opened = await fleet();
    const { demo, page } = opened;
    await demo.program.kill('SIGINT');
    assert.match(demo.program.output, /Stopped\.\n$/);
    await page.getByRole('alert').getByText('The demo has stopped').waitFor();
    await assert.rejects(fetch(demo.url));
  });
});
