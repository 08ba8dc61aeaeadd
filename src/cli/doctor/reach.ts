/** Whether a host can be reached at all: its addresses, and a TCP connection to each. */
import type { Authorisation } from '../../discovery/authorisation.js';
import type { Endpoint } from '../../endpoint.js';
import type { DialTarget, HostAddress, Platform } from '../../platform/ports.js';
import type { Finding, ProblemCode } from './findings.js';
import { type Limits, within } from './within.js';

/** Addresses that a detail names. */
const SHOWN = 6;

/** What name resolution came to. */
export interface Addresses {
  readonly addresses: readonly HostAddress[];
  readonly finding: Finding;
}

/** Finds the addresses of a host, as a client would, and leaves out those that it may not dial. */
export async function findAddresses(
  target: DialTarget,
  origin: string,
  { network }: Platform,
  authorisation: Authorisation,
  limits: Limits,
): Promise<Addresses> {
  const { endpoint } = target;
  const { host } = endpoint;
  try {
    const found = (await within(limits, (signal) => network.resolve?.(target, signal))) ?? [];
    const addresses = authorisation.admitted(endpoint, found);
    const named = listed(found.map(({ address }) => address));
    if (addresses.length > 0) return { addresses, finding: { detail: `${origin}; ${named}` } };
    const text =
      found.length === 0
        ? `the host name ${host} has no address`
        : `${host} leads to ${named}, further inside than its source may point (--allow-host permits it)`;
    const code = found.length === 0 ? 'host-not-found' : 'address-refused';
    return { addresses, finding: { detail: text, problems: [[code, text]] } };
  } catch (error) {
    const text = `the host name ${host} cannot be resolved: ${reasonOf(error)}`;
    return { addresses: [], finding: { detail: text, problems: [['host-not-found', text]] } };
  }
}

/** What dialing came to. */
export interface Dialing {
  /** The first address that answered. */
  readonly address: HostAddress | undefined;
  readonly finding: Finding;
}

/** Opens a TCP connection to every address and closes it. One that answers is enough; the detail tells of all. */
export async function dialAll(
  endpoint: Endpoint,
  addresses: readonly HostAddress[],
  { network, clock }: Platform,
  limits: Limits,
): Promise<Dialing> {
  const plain: DialTarget = { endpoint: { ...endpoint, scheme: 'mqtt' }, options: {} };
  const results = await Promise.all(
    addresses.map(async (address) => {
      const startedAt = clock.now();
      try {
        const transport = await within(limits, (signal) => network.open(plain, signal, address));
        transport.on('error', () => {});
        transport.destroy();
        return { address, text: `${(clock.now() - startedAt).toFixed(1)} ms`, error: undefined };
      } catch (error) {
        return { address, text: reasonOf(error), error };
      }
    }),
  );
  const detail = listed(results.map(({ address, text }) => `${address.address} ${text}`));
  const first = results.find(({ error }) => error === undefined);
  if (first) return { address: first.address, finding: { detail } };
  const code = socketProblem(results[0]?.error);
  const text = `${EXPLAINED[code] ?? 'the connection failed'} at port ${endpoint.port}: ${detail}`;
  return { address: undefined, finding: { detail, problems: [[code, text]] } };
}

const EXPLAINED: Readonly<Partial<Record<ProblemCode, string>>> = {
  'connection-refused': 'connection refused: nobody listens (port closed)',
  'no-answer': 'no answer: a firewall that drops packets, or a host that is down (timeout)',
};

function socketProblem(error: unknown): ProblemCode {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (code === 'ECONNREFUSED') return 'connection-refused';
  return code === 'ETIMEDOUT' || name === 'TimeoutError' ? 'no-answer' : 'unreachable';
}

/** The code of a platform's error, or its message. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message ?? error);
}

function listed(texts: readonly string[]): string {
  const more = texts.length - SHOWN;
  return `${texts.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
