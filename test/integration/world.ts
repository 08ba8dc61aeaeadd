/**
 * What the integration tests share: clients that cannot outlive their test, and small worlds around a broker.
 *
 * Clients of both kinds, ours and MQTT.js's own, are made here with short waits; where a test is about timing it
 * says so itself. Nothing here asserts anything.
 */

import { connect as connectTcp, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient, type Packet } from 'mqtt';
import {
  type BrokersInput,
  type Clock,
  connect,
  type FailoverClient,
  type FailoverOptions,
  type Timer,
  tokens,
} from '../../src/index.js';
import { nodePlatform } from '../../src/platform/node.js';
import { HOST, Listener } from '../support/listener.js';
import type { ScriptedBroker, ScriptedConnection } from '../support/scripted-broker.js';
import type { ServerCertificate } from '../support/tls.js';

/** Waits that cost a test nothing. */
export const QUICK = { spreadMs: 0, minMs: 20, baseMs: 20, maxMs: 100 } as const;

/** Our client in the order of the list, with short waits; destroyed at the end of the block. */
export function client(
  brokers: BrokersInput,
  options: FailoverOptions = {},
): FailoverClient & AsyncDisposable {
  const made = connect(brokers, { selection: 'ordered', backoff: QUICK, ...options });
  return disposable(made);
}

/** MQTT.js's own client; destroyed at the end of the block. */
export function plainMqtt(
  url: string | IClientOptions,
  options: IClientOptions = {},
): MqttClient & AsyncDisposable {
  const made =
    typeof url === 'string' ? mqtt.connect(url, { reconnectPeriod: 20, ...options }) : mqtt.connect(url);
  made.on('error', () => {});
  return disposable(made);
}

export function disposable<C extends MqttClient>(made: C): C & AsyncDisposable {
  return Object.assign(made, { [Symbol.asyncDispose]: () => ended(made) });
}

/** A client that never connected has no stream in MQTT.js, and one whose polite end hangs ignores a second one. */
async function ended(made: MqttClient): Promise<void> {
  if (made.stream === undefined) return;
  made.stream.destroy();
  await new Promise<void>((resolve) => made.end(true, () => resolve()));
}

/**
 * Two endpoints that are one broker: the client can come back at once, where a single endpoint has to rest for a
 * second between two attempts.
 */
export function twice({ url }: { readonly url: string }): { url: string; id: string }[] {
  return [
    { url, id: 'front' },
    { url, id: 'back' },
  ];
}

/** Time that passes `factor` times as fast: the seconds of the library are hundredths here. Timers are never early. */
export function hurriedClock(factor: number): Clock {
  const start = Date.now();
  const now = () => performance.now() * factor;
  return {
    ...nodePlatform.clock,
    now,
    wallNow: () => start + (Date.now() - start) * factor,
    setTimeout: (callback, ms) => {
      const due = now() + ms;
      const timer: { inner?: Timer } = {};
      const arm = () => {
        const wait = Math.ceil((due - now()) / factor);
        timer.inner = nodePlatform.clock.setTimeout(() => (now() < due ? arm() : callback()), wait);
      };
      arm();
      return timer as never;
    },
    clearTimeout: (timer) => {
      const { inner } = timer as { inner?: Timer };
      if (inner) nodePlatform.clock.clearTimeout(inner);
    },
  };
}

export function hurried(factor = 10): Pick<FailoverOptions, 'overrides'> {
  return {
    overrides: (container) => void container.register(tokens.clock, { useValue: hurriedClock(factor) }),
  };
}

/** `ok`, or the `code` of the error, or its message; never rejects. */
export function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: Error & { code?: unknown }) => (typeof error.code === 'string' ? error.code : error.message),
  );
}

export type PublishPacket = Extract<Packet, { cmd: 'publish' }>;

/** Payloads of the PUBLISH packets that came in by the nth connection, in order. */
export function payloads(broker: ScriptedBroker, connection?: number): string[] {
  return publishes(broker, connection).map(({ payload }) => String(payload));
}

export function publishes(broker: ScriptedBroker, connection?: number): PublishPacket[] {
  return broker.received
    .filter((each) => connection === undefined || each.connection === connection)
    .map(({ packet }) => packet)
    .filter((packet): packet is PublishPacket => packet.cmd === 'publish');
}

/** Commands that came in by the nth connection, in order. */
export function commands(broker: ScriptedBroker, connection: number): string[] {
  return broker.received.filter((each) => each.connection === connection).map(({ packet }) => packet.cmd);
}

/** CONNACK with success, in the version the client speaks. */
export function accept(
  connection: ScriptedConnection,
  { sessionPresent = false, properties = {} }: { sessionPresent?: boolean; properties?: object } = {},
): true {
  const code = connection.protocolVersion === 5 ? { reasonCode: 0, properties } : { returnCode: 0 };
  connection.send({ cmd: 'connack', sessionPresent, ...code });
  return true;
}

/** CONNACK with a refusal, in the version the client speaks; the broker then closes, as it must. */
export function refuse(connection: ScriptedConnection, code: number): true {
  const refusal =
    connection.protocolVersion === 5 ? { reasonCode: code, properties: {} } : { returnCode: code };
  connection.send({ cmd: 'connack', sessionPresent: false, ...refusal });
  connection.end();
  return true;
}

/** TLS in front of a broker that speaks without. */
export class TlsFront implements AsyncDisposable {
  /** The server name that each connection asked for, `false` where it asked for none. */
  readonly names: (string | false)[] = [];
  /** Connections whose handshake has completed. */
  secured = 0;
  readonly #listener: Listener;

  private constructor(certificate: ServerCertificate, target: { readonly port: number }) {
    this.#listener = new Listener(() => {
      const server = createServer({
        ...certificate,
        // Called before the client has judged our certificate, and only if it named a server.
        SNICallback: (name, done) => {
          this.names.push(name);
          done(null);
        },
      });
      server.on('secureConnection', (socket: TLSSocket) => {
        this.secured += 1;
        if (!(socket as unknown as { servername: unknown }).servername) this.names.push(false);
        pipe(socket, connectTcp(target.port, HOST));
      });
      server.on('tlsClientError', () => {});
      return server;
    });
  }

  static async open(certificate: ServerCertificate, target: { readonly port: number }): Promise<TlsFront> {
    const front = new TlsFront(certificate, target);
    await front.revive();
    return front;
  }

  get port(): number {
    return this.#listener.port;
  }

  async kill(): Promise<void> {
    await this.#listener.crash();
  }

  async revive(): Promise<void> {
    await this.#listener.open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

function pipe(a: Socket, b: Socket): void {
  a.on('error', () => b.destroy());
  b.on('error', () => a.destroy());
  a.on('close', () => b.destroy());
  b.on('close', () => a.destroy());
  a.pipe(b).pipe(a);
}

/** The promise, or a rejection that says what was waited for: nothing may hang a test. */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = 5_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still waiting for ${what} after ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
