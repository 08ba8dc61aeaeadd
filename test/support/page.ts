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

export class BrowserPage implements AsyncDisposable {
  readonly page: Page;
  /** Messages of uncaught errors in the page. */
  readonly errors: string[] = [];
  readonly #browser: Browser;
  readonly #server: http.Server;

  constructor(page: Page, browser: Browser, server: http.Server) {
    this.page = page;
    this.#browser = browser;
    this.#server = server;
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function serve(): Promise<http.Server> {
  const server = http.createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', `http://${HOST}`).pathname;
    if (path === '/') {
      response.setHeader('content-type', 'text/html').end(PAGE);
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
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Opens the page; `mqttFailover` is defined in it. */
export async function browserPage(): Promise<BrowserPage> {
  const server = await serve();
  const browser = await launchChromium();
  const page = await browser.newPage();
  const opened = new BrowserPage(page, browser, server);
  await page.goto(`http://${HOST}:${(server.address() as AddressInfo).port}/`);
  return opened;
}
