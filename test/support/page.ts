/**
 * A real browser with a page that has the built bundle.
 *
 * The world it builds: a web server on 127.0.0.1 with `dist/` and MQTT.js's own browser build behind an import map,
 * and headless Chromium on a page of it. Nothing but Debian's browser is needed: no download.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { HOST } from './listener.js';

const ROOT = new URL('../../', import.meta.url);
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Keeps the browser from calling home, which a machine without a network answers with failures. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const PAGE = `<!doctype html><meta charset="utf-8"><title>mqtt-failover</title>
<script src="/dist/mqtt-failover.min.js"></script>`;

export interface PageOptions {
  /** HTML of the page; left out, one that loads the bundle. */
  readonly html?: string;
  /** Header `Content-Security-Policy` of everything that is served. */
  readonly policy?: string;
  /** More files by path, such as what a bundler made. */
  readonly files?: ReadonlyMap<string, Uint8Array | string>;
  /** Name under which the page is opened; any but 127.0.0.1 makes it an insecure context, without Web Locks. */
  readonly host?: string;
  /** Keeps pages that are left, for the way back; the driver forbids it otherwise. */
  readonly backForwardCache?: boolean;
}

export class BrowserPage implements AsyncDisposable {
  readonly page: Page;
  /** Messages of uncaught errors in the pages. */
  readonly errors: string[] = [];
  readonly #browser: Browser;
  readonly #server: http.Server;

  constructor(page: Page, browser: Browser, server: http.Server) {
    this.page = page;
    this.#browser = browser;
    this.#server = server;
    this.#watch(page);
    page.context().on('page', (other) => this.#watch(other));
  }

  #watch(page: Page): void {
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  /** One more tab of the same browser, on the same page. */
  async tab(): Promise<Page> {
    const tab = await this.page.context().newPage();
    await tab.goto(this.page.url());
    return tab;
  }

  /** "Duplicate tab": one more with a copy of this tab's sessionStorage. */
  async duplicate(page = this.page): Promise<Page> {
    const [copy] = await Promise.all([
      page.context().waitForEvent('page'),
      page.evaluate(() => void window.open(location.href)),
    ]);
    await copy.waitForLoadState();
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function serve({ html = PAGE, policy, files }: PageOptions): Promise<http.Server> {
  const server = http.createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', `http://${HOST}`).pathname;
    if (policy !== undefined) response.setHeader('content-security-policy', policy);
    if (path === '/') {
      response.setHeader('content-type', 'text/html').end(html);
      return;
    }
    const made = files?.get(path);
    if (made !== undefined) {
      response.setHeader('content-type', 'text/javascript').end(made);
      return;
    }
    try {
      const body = await readFile(fileURLToPath(new URL(`.${path}`, ROOT)));
      response
        .setHeader('content-type', path.endsWith('js') ? 'text/javascript' : 'application/octet-stream')
        .end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return server;
}

/** Debian's browser, without a window and without calls home. */
export function launchChromium({ host, backForwardCache }: PageOptions = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS, ...(host === undefined ? [] : [`--host-resolver-rules=MAP ${host} ${HOST}`])],
    ...(backForwardCache ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
  });
}

/**
 * Freezes a page: it runs nothing, no timer, no message, while time goes on. Headless Chromium shows all its pages and so
 * never freezes one by itself; its debugger holds this one.
 *
 * @returns what thaws it, and tells it so as a browser does.
 */
export async function freeze(page: Page): Promise<() => Promise<void>> {
  const devTools = await page.context().newCDPSession(page);
  const paused = new Promise((resolve) => devTools.once('Debugger.paused', resolve));
  await devTools.send('Debugger.enable');
  await devTools.send('Debugger.pause');
  // It stops at the next thing that it runs, which is this.
  void devTools.send('Runtime.evaluate', { expression: '0' }).catch(() => {});
  await paused;
  return async () => {
    await devTools.send('Debugger.resume');
    await devTools.send('Debugger.disable');
    await devTools.detach();
    await page.evaluate(() => document.dispatchEvent(new Event('resume')));
  };
}

/** Opens the page; unless it is another one, `mqttFailover` is defined in it. */
export async function browserPage(options: PageOptions = {}): Promise<BrowserPage> {
  const server = await serve(options);
  const browser = await launchChromium(options);
  const context = await browser.newContext();
  const page = await context.newPage();
  const opened = new BrowserPage(page, browser, server);
  await page.goto(`http://${options.host ?? HOST}:${(server.address() as AddressInfo).port}/`);
  return opened;
}
