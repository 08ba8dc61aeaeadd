/**
 * A port that does not answer at all.
 *
 * The world it builds: a host behind a firewall that drops, or one that has lost its power; a connection
 * attempt neither succeeds nor fails, it hangs until someone gives up on it. No privileges are needed: a
 * child process listens with the shortest backlog and is stopped before it accepts anything, a few
 * connections of our own fill its queue, and the (Linux) kernel then drops every further SYN.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { HOST } from './listener.js';

/** On loopback the handshake takes microseconds; what is not through by then is being dropped. */
const HANDSHAKE_MS = 60;

/** Filling takes two connections on today's kernels; with this many the queue is not short at all. */
const MOST_FILLERS = 16;

const listenerSource = (host: string, port: number) =>
  `require('node:net').createServer().listen({ port: ${port}, host: '${host}', backlog: 1 },
  function () { process.stdout.write(String(this.address().port)); });`;

export interface Blackhole extends AsyncDisposable {
  readonly port: number;
  close(): Promise<void>;
}

export interface BlackholeOptions {
  /** 127.0.0.1 or ::1. */
  readonly host?: string;
  readonly port?: number;
}

export async function blackhole({
  host = HOST,
  port: wanted = 0,
}: BlackholeOptions = {}): Promise<Blackhole> {
  const source = listenerSource(host, wanted);
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const killOnExit = () => child.kill('SIGKILL');
  // A test run that is cut short must not leave a stopped process behind.
  process.on('exit', killOnExit);
  const fillers: Socket[] = [];
  const close = async () => {
    process.off('exit', killOnExit);
    for (const socket of fillers) socket.destroy();
    await killed(child);
  };
  try {
    const [announced] = await once(child.stdout, 'data');
    const port = Number(String(announced));
    child.kill('SIGSTOP');
    do {
      if (fillers.length === MOST_FILLERS)
        throw new Error('the backlog never fills: no black hole on this system');
      fillers.push(connect(port, host).on('error', () => {}));
    } while (await connects(fillers.at(-1) as Socket));
    return { port, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function connects(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
    // After a stall of the event loop timers come before sockets: one more turn lets the connection speak.
    const timer = setTimeout(() => setImmediate(resolve, false), HANDSHAKE_MS);
  });
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'close');
  child.kill('SIGKILL');
  await exited;
}
