/**
 * Real servers as processes of their own.
 *
 * The world it builds: a program in a fresh directory, with its configuration in it, that listens on a free port of
 * 127.0.0.1. Disposing of it ends the process and removes the directory.
 */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { listen } from '../../examples/listen.js';
import { HOST } from './listener.js';
import { Program } from './program.js';

/** A port that was free a moment ago; many programs cannot be asked which one they chose. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server, 0);
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether somebody accepts connections at `port`. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, HOST);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

export interface DaemonInit {
  readonly program: string;
  /** Contents by file name; `directory` is where they are. */
  readonly files: (directory: string) => Readonly<Record<string, string>>;
  readonly args: (directory: string) => readonly string[];
  /** Ready when this accepts connections. */
  readonly port: number;
}

/** Starts a server with its configuration in a fresh directory; ready when it accepts connections. */
export function daemon({ program, files, args, port }: DaemonInit): Promise<Program> {
  const prepare = async (directory: string) => {
    for (const [name, content] of Object.entries(files(directory)))
      await writeFile(join(directory, name), content);
    return [...args(directory)];
  };
  return Program.start(program, prepare, { ready: () => accepts(port) });
}
