/** The system's resolver configuration, resolv.conf(5), as far as a stub resolver for absolute names needs it. */
import type { DnsServer } from '../../platform/ports.js';
import { parseDnsServer } from './server-address.js';

/** Which servers to ask, and how patiently. */
export interface StubConfig {
  /** In order of preference; at least one. */
  readonly servers: readonly DnsServer[];
  /** Milliseconds that one server has to answer. */
  readonly timeoutMs: number;
  /** Times that each server is asked. */
  readonly attempts: number;
  /** Whether each resolution starts with another server. */
  readonly rotate: boolean;
}

const MAX_SERVERS = 3;
const SECONDS = { default: 5, max: 30 } as const;
const ATTEMPTS = { default: 2, max: 5 } as const;
/** Where resolv.conf(5) says to ask when nothing is configured. */
const LOCALHOST: DnsServer = { host: '127.0.0.1', port: 53 };

/** The configuration for servers that somebody named, with the system's defaults. */
export function stubConfig(servers: readonly DnsServer[]): StubConfig {
  const timeoutMs = SECONDS.default * 1_000;
  return { servers, timeoutMs, attempts: ATTEMPTS.default, rotate: false };
}

/**
 * Reads resolv.conf. Search lists and `ndots` are ignored, as SRV names are absolute (R6); so is every line that is
 * not understood, as resolv.conf(5) has it.
 *
 * @param text - `undefined` for a missing file: localhost is asked then.
 */
export function parseResolvConf(text = ''): StubConfig {
  const servers: DnsServer[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] && servers.length < MAX_SERVERS) {
      const server = readServer(words[0]);
      if (server) servers.push(server);
    }
    if (keyword === 'options') options = [...options, ...words];
  }
  const number = (name: string, { default: usual, max }: { default: number; max: number }) => {
    const given = options.findLast((option) => new RegExp(`^${name}:\\d{1,9}$`).test(option));
    return given ? Math.min(Math.max(Number(given.slice(name.length + 1)), 1), max) : usual;
  };
  return {
    servers: servers.length > 0 ? servers : [LOCALHOST],
    timeoutMs: number('timeout', SECONDS) * 1_000,
    attempts: number('attempts', ATTEMPTS),
    rotate: options.includes('rotate'),
  };
}

function readServer(address: string): DnsServer | undefined {
  try {
    return parseDnsServer(address, 'nameserver');
  } catch {
    return undefined;
  }
}
