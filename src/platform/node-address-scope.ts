/** How far an IP address reaches. */
import { BlockList, isIPv6 } from 'node:net';
import type { AddressScope } from './ports.js';

type Block = readonly [network: string, prefix: number];

/** IANA special-purpose registries (RFC 6890), as far as they matter to a dial. */
const BLOCKS: Readonly<Record<Exclude<AddressScope, 'public'>, readonly Block[]>> = {
  loopback: [
    ['127.0.0.0', 8],
    ['::1', 128],
  ],
  private: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    // Carrier-grade NAT (RFC 6598).
    ['100.64.0.0', 10],
    ['fc00::', 7],
  ],
  // Link-local holds the metadata services of clouds; Amazon's has an address of its own in IPv6.
  forbidden: [
    ['0.0.0.0', 8],
    ['169.254.0.0', 16],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
    ['::', 128],
    ['fe80::', 10],
    ['ff00::', 8],
    ['fd00:ec2::254', 128],
  ],
};

const LISTS = new Map(
  Object.entries(BLOCKS).map(([scope, blocks]) => {
    const list = new BlockList();
    for (const [network, prefix] of blocks) list.addSubnet(network, prefix, family(network));
    return [scope as AddressScope, list];
  }),
);

function family(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}

/** The scope of an address; IPv4 in an IPv6 coat (`::ffff:127.0.0.1`) is what it is underneath. */
export function addressScope(address: string): AddressScope {
  // `forbidden` before `private`, which holds one of its addresses.
  for (const scope of ['forbidden', 'loopback', 'private'] as const) {
    if (LISTS.get(scope)?.check(address, family(address))) return scope;
  }
  return 'public';
}
