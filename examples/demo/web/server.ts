/** The web server of the fleet page: its files, the registry, and the buttons. For pages of its own origin only. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Arrivals } from './arrivals.js';
import { MAX_BROKERS, Operator, Refusal, VERBS, type Verb } from './operator.js';

const HOST = '127.0.0.1';
/** Names under which a page of this machine may be open; anything else is a name that was led here (DNS rebinding). */
const NAMES = [HOST, 'localhost'];
const MAX_CONNECTIONS = 128;
const FIRST_BROKERS = 3;

const PAGE = new URL('./page/', import.meta.url);
const DIST = new URL('../../../dist/', import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** Everything that is served; a path that is not here does not exist. */
const FILES: ReadonlyMap<string, URL> = new Map([
  ['/', new URL('index.html', PAGE)],
  ...[
    'fleet.css',
    'main.js',
    'announcer.js',
    'brokers.js',
    'books.js',
    'charts.js',
    'control.js',
    'device.js',
    'journal.js',
    'stage.js',
    'theme.js',
  ].map((name): [string, URL] => [`/${name}`, new URL(name, PAGE)]),
  ['/mqtt-failover.min.js', new URL('mqtt-failover.min.js', DIST)],
]);

const HEADERS = {
  // MQTT.js runs its timers in a worker that it makes from a blob.
  'content-security-policy':
    "default-src 'self'; connect-src 'self' ws://127.0.0.1:*; worker-src blob:; img-src 'self' data:; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** The running demo. */
export class FleetServer {
  readonly #server: Server;
  readonly #arrivals = new Arrivals();
  /** Tells a page that the demo was started anew. */
  readonly #run = randomUUID();
  readonly #operator: Operator;
  #origins: ReadonlySet<string> = new Set();

  private constructor() {
    this.#operator = new Operator({
      admits: (origin) => origin !== undefined && this.#origins.has(origin),
      onMessage: (topic, payload) => this.#arrivals.record(topic, payload),
    });
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Listens on `port` of 127.0.0.1, or on a free one for 0, with three brokers.
   *
   * @throws Error with code `EADDRINUSE` and a message for the user when the port is taken.
   */
  static async start(port: number): Promise<FleetServer> {
    const fleet = new FleetServer();
    try {
      fleet.#server.listen(port, HOST);
      await once(fleet.#server, 'listening');
    } catch (cause) {
      throw (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? taken(port, cause) : cause;
    }
    const actual = (fleet.#server.address() as AddressInfo).port;
    fleet.#origins = new Set(NAMES.map((name) => new URL(`http://${name}:${actual}`).origin));
    try {
      for (let i = 0; i < FIRST_BROKERS; i += 1) await fleet.#operator.add();
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  get url(): string {
    return `http://${HOST}:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await Promise.all([closed, this.#operator.stop()]);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    // Nothing that is asked here has a body.
    request.on('error', () => {}).resume();
    try {
      const origin = `http://${request.headers.host}`;
      if (!this.#origins.has(origin)) throw new Refusal(403, 'this demo answers to its own address only');
      const { pathname, searchParams } = new URL(request.url ?? '/', origin);
      if (request.method === 'GET') await this.#get(pathname, searchParams, response);
      else if (request.method === 'POST') await this.#post(pathname, request, response);
      else throw new Refusal(405, 'GET or POST');
    } catch (error) {
      const { status, message } = error instanceof Refusal ? error : new Refusal(400, 'bad request');
      if (!response.headersSent) sendJson(response, { error: message }, status);
    }
  }

  async #get(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const file = FILES.get(path);
    if (file) {
      const type = TYPES[file.pathname.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
      response.setHeader('content-type', type).end(await readFile(fileURLToPath(file)));
    } else if (path === '/nodes.json') sendJson(response, this.#operator.document());
    else if (path === '/state.json') sendJson(response, this.#state(query.get('session') ?? ''));
    else throw new Refusal(404, 'there is no such page');
  }

  async #post(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers.origin !== `http://${request.headers.host}`)
      throw new Refusal(403, 'the buttons are for the page of this demo only');
    const [, id, verb] = /^\/brokers(?:\/(n\d{1,2})\/([a-z]{1,10}))?$/.exec(path) ?? [path, '', ''];
    if (id === undefined) await this.#operator.add();
    else if (isVerb(verb)) await this.#operator.obey(id, verb);
    else throw new Refusal(404, 'there is no such button');
    sendJson(response, this.#state(''));
  }

  #state(session: string): object {
    const brokers = this.#operator.brokers();
    return {
      run: this.#run,
      brokers,
      mayAdd: brokers.length < MAX_BROKERS,
      arrived: this.#arrivals.of(session),
    };
  }
}

function isVerb(word: string | undefined): word is Verb {
  return (VERBS as readonly (string | undefined)[]).includes(word);
}

function sendJson(response: ServerResponse, value: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function taken(port: number, cause: unknown): Error {
  const message = `Port ${port} of ${HOST} is taken, perhaps by this demo in another terminal. Choose another one: npm run demo -- --web --port ${port + 1}`;
  return Object.assign(new Error(message, { cause }), { code: 'EADDRINUSE' });
}
