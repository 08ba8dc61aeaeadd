/**
 * BIND 9, authoritative for one zone that can be updated while it runs.
 *
 * The world it builds: `named` on 127.0.0.1 with UDP and TCP on one port and DNS over HTTP/2 on another, and `nsupdate`
 * with a key that both know.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { daemon, freePort } from './daemon.js';
import { HOST } from './listener.js';

const KEY = Buffer.from('a key for this test and no other').toString('base64');

export interface Bind extends AsyncDisposable {
  /** For `discovery.dns.servers`. */
  readonly address: string;
  /** RFC 8484 over HTTP/2 without TLS, which `fetch` does not speak. */
  readonly dohPort: number;
  /** Runs commands of nsupdate(1), such as `update add …`. */
  update(...commands: string[]): Promise<void>;
}

/** Serves `zone` with the given records, one a line, relative to the zone. */
export async function bind(zone: string, records: readonly string[]): Promise<Bind> {
  const [port, dohPort] = [await freePort(), await freePort()];
  const config = (directory: string) => `
key "test" { algorithm hmac-sha256; secret "${KEY}"; };
controls { };
http doh { endpoints { "/dns-query"; }; };
options {
  directory "${directory}"; pid-file "${directory}/named.pid"; session-keyfile "${directory}/session.key"; lock-file none;
  listen-on port ${port} { ${HOST}; };
  listen-on port ${dohPort} tls none http doh { ${HOST}; };
  listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { none; };
};
zone "${zone}" { type primary; file "zone.db"; allow-update { key "test"; }; };
`;
  const head = [
    `$ORIGIN ${zone}.`,
    '$TTL 5',
    '@ IN SOA ns hostmaster 1 60 60 600 20',
    '@ IN NS ns',
    `ns IN A ${HOST}`,
  ];
  const server = await daemon({
    program: 'named',
    files: (directory) => ({
      'named.conf': config(directory),
      'zone.db': `${[...head, ...records].join('\n')}\n`,
    }),
    args: (directory) => ['-g', '-4', '-n', '1', '-c', `${directory}/named.conf`],
    port,
  });
  return {
    address: `${HOST}:${port}`,
    dohPort,
    update: (...commands) => nsupdate([`server ${HOST} ${port}`, `zone ${zone}`, ...commands, 'send']),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function nsupdate(lines: readonly string[]): Promise<void> {
  const child = spawn('nsupdate', ['-y', `hmac-sha256:test:${KEY}`, '-t', '5'], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  child.stdin.end(`${lines.join('\n')}\n`);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`nsupdate ended with ${code}: ${said}`);
}
