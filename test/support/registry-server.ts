/**
 * A registry over real HTTP that misbehaves on demand.
 *
 * The world it builds: an HTTP server on a free port of 127.0.0.1 that serves one document with an ETag, streams it to
 * whoever asks for events, and answers in any other way that a test gives it.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { HOST, Listener } from './listener.js';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export class RegistryServer implements AsyncDisposable {
  /** Every request, in order. */
  readonly requests: {
    method: string;
    url: string;
    headers: IncomingMessage['headers'];
    status: () => number;
  }[] = [];
  /** Replaces what the server does, until it is `undefined` again. */
  handler: Handler | undefined;
  /** Sent with every document. */
  readonly headers: Record<string, string> = {};
  readonly #streams = new Set<ServerResponse>();
  readonly #listener: Listener;
  #document: object = {};
  #events = 0;

  private constructor() {
    this.#listener = new Listener(() => createServer((request, response) => this.#serve(request, response)));
  }

  static async open(document: object): Promise<RegistryServer> {
    const server = new RegistryServer();
    server.#document = document;
    await server.#listener.open();
    return server;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** What a user writes for `brokers`. */
  get url(): string {
    return `registry+http://${HOST}:${this.port}/nodes.json`;
  }

  /** Event streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Replaces the document, and pushes it. */
  publish(document: object): void {
    this.#document = document;
    for (const stream of this.#streams) this.#send(stream);
  }

  /** Resets every connection; the server goes on. */
  cut(): void {
    this.#listener.resetAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.crash();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      status: () => response.statusCode,
    });
    if (this.handler) {
      this.handler(request, response);
      return;
    }
    if (request.headers.accept === 'text/event-stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      this.#streams.add(response);
      response.on('close', () => this.#streams.delete(response));
      this.#send(response);
      return;
    }
    const body = JSON.stringify(this.#document);
    const etag = `"${createHash('sha1').update(body).digest('hex')}"`;
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { etag, ...this.headers }).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json', etag, ...this.headers }).end(body);
  }

  #send(stream: ServerResponse): void {
    this.#events += 1;
    stream.write(`id: ${this.#events}\ndata: ${JSON.stringify(this.#document)}\n\n`);
  }
}
