/** What brokers written in Erlang need on a machine that may have others: a port mapper of their own. */
import { accepts, freePort } from './daemon.js';
import { HOST } from './listener.js';
import { Server, type Site } from './server.js';

/** Where nodes find each other's ports by name, on a port of its own. */
export class PortMapper extends Server {
  /** For the environment of every Erlang program that should use it. */
  readonly env: NodeJS.ProcessEnv;

  constructor(port: number) {
    super({
      command: 'epmd',
      args: ['-port', `${port}`, '-address', HOST],
      ready: () => accepts(port),
    });
    this.env = { ERL_EPMD_PORT: `${port}`, ERL_EPMD_ADDRESS: HOST };
  }

  /** One for the cluster that is built at `site`. */
  static async openAt({ use }: Site): Promise<PortMapper> {
    const mapper = use(new PortMapper(await freePort()));
    await mapper.start();
    return mapper;
  }
}

/** Arguments for `-kernel`: nodes speak to each other at `port` of this machine alone. */
export function distribution(port: number): string[] {
  const address = `{${HOST.split('.').join(',')}}`;
  return [
    ...['inet_dist_use_interface', address],
    ...['inet_dist_listen_min', `${port}`, 'inet_dist_listen_max', `${port}`],
  ];
}

/** Flags of the virtual machine: several of them share few cores, so none may use more than one or spin while idle. */
export const FRUGAL = ['+S', '1:1', '+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none'];
