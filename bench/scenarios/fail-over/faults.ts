/** What a broker can do to its clients. Each fault strikes at one moment; later the same node is back at the same ports. */
import { execFile } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { BrokerNode } from '../../contestants/broker-node.js';
import { now } from '../../support/monotonic.js';
import { ENV } from '../../support/programs.js';

const execFileAsync = promisify(execFile);

/** A fault that has struck. */
export interface Struck {
  /** When, on the clock of all processes. */
  readonly at: number;
  /** Ends it; the node serves again. */
  heal(): Promise<void>;
}

export interface Fault {
  readonly name: 'crash' | 'hang' | 'syn-drop' | 'silent-accept';
  /** For people. */
  readonly title: string;
  readonly rounds: number;
  /** Whether contestants take turns: where recovery takes milliseconds, two at a time would wait for each other. */
  readonly inTurns: boolean;
  /** Milliseconds after which a round does not wait any longer. */
  readonly capMs: number;
  /** Resolves when everything is as it will be for new connections. */
  strike(node: BrokerNode): Promise<Struck>;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'crash',
    title: 'crash: kill -9, and the port refuses',
    rounds: 7,
    inTurns: true,
    capMs: 30_000,
    async strike(node) {
      const at = now();
      await node.kill();
      return { at, heal: () => node.start() };
    },
  },
  {
    name: 'hang',
    title: 'hang: SIGSTOP, and every connection stays open',
    rounds: 2,
    inTurns: false,
    capMs: 130_000,
    async strike(node) {
      const at = now();
      node.freeze();
      const heal = async () => {
        await node.kill();
        await node.start();
      };
      return { at, heal };
    },
  },
  {
    name: 'syn-drop',
    title: 'SYN drop: the connections break, and the host drops every SYN',
    rounds: 3,
    inTurns: false,
    capMs: 45_000,
    async strike(node) {
      node.freeze();
      // The queue of the WebSocket port has room for thousands: it accepts, and nobody answers there either.
      const fillers = await fillQueue(node.host, node.port);
      const at = now();
      await breakConnections([node.port, node.wsPort]);
      const heal = async () => {
        for (const filler of fillers) filler.destroy();
        await node.kill();
        await node.start();
      };
      return { at, heal };
    },
  },
  {
    name: 'silent-accept',
    title: 'silent accept: the connections break, and the port accepts and says nothing',
    rounds: 3,
    inTurns: false,
    capMs: 45_000,
    async strike(node) {
      // A process that is stopped accepts nothing, but the system goes on to do it for a while.
      node.freeze();
      const at = now();
      await breakConnections([node.port, node.wsPort]);
      const heal = async () => {
        await node.kill();
        await node.start();
      };
      return { at, heal };
    },
  },
];

/** Whoever connects from here only fills a queue. */
const FILLER_ADDRESS = '127.0.0.2';
/** Connections that wait at mosquitto's port before the system drops further SYNs, and one. */
const QUEUE = 101;
const MOST_FILLERS = 2 * QUEUE;
/** On loopback a handshake takes microseconds; what is not through by then is being dropped. */
const HANDSHAKE_MS = 60;

/** Fills the queue of a port that is not served any more, until the system drops what comes. */
async function fillQueue(host: string, port: number): Promise<Socket[]> {
  const open = () =>
    connect({ host, port, localAddress: FILLER_ADDRESS }).on('error', () => {
      // It ends with the broker.
    });
  const fillers = Array.from({ length: QUEUE }, open);
  do {
    if (fillers.length > MOST_FILLERS) throw new Error(`the queue of port ${port} never fills`);
    fillers.push(open());
  } while (await connects(fillers.at(-1)!));
  return fillers;
}

function connects(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => setImmediate(resolve, false), HANDSHAKE_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** Resets every connection of clients to `ports`, and leaves those who listen alone; needs root and Linux. */
async function breakConnections(ports: readonly number[]): Promise<void> {
  const filter = `( ${ports.map((port) => `sport = :${port}`).join(' or ')} ) and not dst ${FILLER_ADDRESS}`;
  const { stdout } = await execFileAsync('ss', ['-K', '-H', '-t', 'state', 'established', filter], {
    env: ENV,
  });
  if (stdout.trim() === '')
    throw new Error('no connection was reset: `ss -K` needs root, and a kernel that can');
}
