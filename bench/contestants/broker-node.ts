/** The broker that everybody is compared on: mosquitto, quiet and without limits of its own. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, freePort } from '../../test/support/daemon.js';
import { Program } from '../../test/support/program.js';
import { ENV } from '../support/programs.js';

const HOST = '127.0.0.1';

/** One node at two ports that it keeps over all its lives: MQTT and MQTT over WebSocket. */
export class BrokerNode implements AsyncDisposable {
  readonly host = HOST;
  readonly port: number;
  readonly wsPort: number;
  #life: Program | undefined;

  private constructor(port: number, wsPort: number) {
    this.port = port;
    this.wsPort = wsPort;
  }

  static async start(): Promise<BrokerNode> {
    const node = new BrokerNode(await freePort(), await freePort());
    await node.start();
    return node;
  }

  get url(): string {
    return `mqtt://${HOST}:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://${HOST}:${this.wsPort}/`;
  }

  get pid(): number {
    if (!this.#life) throw new Error('this broker does not run');
    return this.#life.pid;
  }

  async start(): Promise<void> {
    if (this.#life) return;
    const prepare = async (directory: string) => {
      const file = join(directory, 'mosquitto.conf');
      await writeFile(file, this.#configuration);
      return ['-c', file];
    };
    this.#life = await Program.start('mosquitto', prepare, { env: ENV, ready: () => accepts(this.wsPort) });
  }

  /** Ends the process; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    await life?.kill(signal);
    await life?.[Symbol.asyncDispose]();
  }

  /** Leaves every connection open and answers nothing any more, until it is killed. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  get #configuration(): string {
    return [
      'user root',
      'allow_anonymous true',
      'persistence false',
      'sys_interval 0',
      'set_tcp_nodelay true',
      // Else 20 in flight and 1 000 waiting for each client; what is measured is not the broker.
      'max_inflight_messages 0',
      'max_queued_messages 0',
      `listener ${this.port} ${HOST}`,
      `listener ${this.wsPort} ${HOST}`,
      'protocol websockets',
      'log_dest none',
      '',
    ].join('\n');
  }
}
