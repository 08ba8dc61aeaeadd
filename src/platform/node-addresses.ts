/** A host's addresses in Node, and sockets that go to one of them. */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type TcpNetConnectOpts } from 'node:net';
import type { HostAddress } from './ports.js';

/** Options of Node's sockets that applications set to choose the way to a broker. */
export const SOCKET_OPTIONS = ['family', 'lookup', 'hints', 'localAddress'] as const;

/** See `net.connect`. */
export type SocketOptions = Pick<TcpNetConnectOpts, (typeof SOCKET_OPTIONS)[number]>;

/**
 * All addresses of `host` as the operating system finds them, so that /etc/hosts and nsswitch hold (R33), or the
 * application's own `lookup`. Only those of the `family` that was asked for, or that `localAddress` can reach.
 */
export function addressesOf(
  host: string,
  { lookup = systemLookup as LookupFunction, localAddress = '', family, hints = 0 }: SocketOptions,
  signal: AbortSignal,
): Promise<HostAddress[]> {
  const literal = toAddress(host);
  if (literal) return Promise.resolve([literal]);
  // Node takes 'IPv4' for 4 as well.
  const wanted = Number(String(family).replace('IPv', '')) || isIP(localAddress);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // A look-up cannot be called off; its answer is not waited for.
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    lookup(host, { all: true, family: wanted, hints }, (error, found) => {
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve(readAddresses(found).filter((each) => !wanted || each.family === wanted));
    });
  });
}

/**
 * Socket options that lead to `address` under the name `host`, for which TLS and HTTP go on to ask. Another name, as
 * `transformWsUrl` may give one, is looked up as in `options`.
 */
export function pinned(
  host: string,
  address: HostAddress,
  { lookup: otherwise = systemLookup as LookupFunction }: SocketOptions,
): SocketOptions & { autoSelectFamily: false } {
  const lookup: LookupFunction = (name, options, done) => {
    if (name !== host) otherwise(name, options, done);
    else if (options.all) done(null, [address]);
    else done(null, address.address, address.family);
  };
  return { lookup, autoSelectFamily: false };
}

/** Look-ups of applications may not know `all`, and answer with one address, or with none. */
function readAddresses(found: string | LookupAddress[] | undefined): HostAddress[] {
  return [found]
    .flat()
    .map((each) => toAddress(typeof each === 'string' ? each : each?.address))
    .filter((address) => address !== undefined);
}

function toAddress(text: string | undefined): HostAddress | undefined {
  const family = isIP(text ?? '');
  return text !== undefined && (family === 4 || family === 6) ? { address: text, family } : undefined;
}

/** The named properties of `options` that are set. */
export function pick<T extends object, Name extends string>(options: T, names: readonly Name[]): object {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== undefined && names.includes(name as Name)),
  );
}
