/** From the bytes of a reply to records, by dns-packet, which is loaded on the first use. */
import { DnsFailure } from './dns-failure.js';
import type { DnsAnswer, DnsRecord } from './dns-query.js';
import { CNAME, RCODES, type RecordPlace, scanMessage } from './message.js';

/** A reply, read. */
export interface DnsMessage {
  /** With the upper bits of EDNS, if any. */
  readonly rcode: number;
  readonly truncated: boolean;
  readonly records: readonly DnsRecord[];
  /** Milliseconds: min(SOA.MINIMUM, TTL of the SOA) of the authority section (RFC 2308 §5). */
  readonly negativeTtlMs: number | undefined;
}

/** Reads a reply. */
export type DecodeMessage = (bytes: Uint8Array) => DnsMessage;

/** The readers of dns-packet that are used; its type declarations leave them out. */
interface DnsPacket {
  readonly name: { encode(name: string): Buffer; decode(buffer: Buffer, offset: number): string };
  readonly cname: { decode(buffer: Buffer, offset: number): string };
  readonly srv: {
    decode(
      buffer: Buffer,
      offset: number,
    ): { priority: number; weight: number; port: number; target: string };
  };
  readonly soa: { decode(buffer: Buffer, offset: number): { minimum: number } };
}

let loading: Promise<DecodeMessage> | undefined;

/** Loads dns-packet, once. Lists of brokers never pay for it. */
export function loadDecoder(): Promise<DecodeMessage> {
  loading ??= load();
  return loading;
}

async function load(): Promise<DecodeMessage> {
  const { default: packet } = (await import('dns-packet')) as unknown as { default: DnsPacket };
  // The class that dns-packet itself uses: Node's, or in browsers that of the package `buffer`.
  const { from } = packet.name.encode('.').constructor as typeof Buffer;
  return (bytes) => {
    const { rcode, truncated, records } = scanMessage(bytes);
    const buffer = from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    try {
      const answers = records.filter(({ section }) => section === 'answer');
      const soa = records.find(({ section }) => section === 'authority');
      return {
        rcode,
        truncated,
        records: answers.map((place) => readRecord(packet, buffer, place)),
        negativeTtlMs: soa && Math.min(packet.soa.decode(buffer, soa.dataAt).minimum * 1_000, soa.ttlMs),
      };
    } catch (cause) {
      throw new DnsFailure('malformed', 'the reply is malformed', { cause });
    }
  };
}

function readRecord(
  packet: DnsPacket,
  buffer: Buffer,
  { type, ttlMs, nameAt, dataAt }: RecordPlace,
): DnsRecord {
  const name = packet.name.decode(buffer, nameAt);
  if (type === CNAME) return { type: 'CNAME', name, ttlMs, target: packet.cname.decode(buffer, dataAt) };
  const { priority, weight, port, target } = packet.srv.decode(buffer, dataAt);
  return { type: 'SRV', name, ttlMs, priority, weight, port, target };
}

const RCODE_NAMES: Readonly<Record<number, string>> = {
  1: 'FORMERR',
  2: 'SERVFAIL',
  4: 'NOTIMP',
  5: 'REFUSED',
  16: 'BADVERS',
};

/**
 * Takes NOERROR and NXDOMAIN as final; every other response code says that this server cannot tell (R32).
 *
 * @param server - For messages.
 * @throws {@link DnsFailure} `rcode`.
 */
export function finalAnswer({ rcode, records, negativeTtlMs }: DnsMessage, server: string): DnsAnswer {
  if (rcode !== RCODES.NOERROR && rcode !== RCODES.NXDOMAIN) {
    throw new DnsFailure('rcode', `${server} answered ${RCODE_NAMES[rcode] ?? `response code ${rcode}`}`);
  }
  return { server, exists: rcode === RCODES.NOERROR, records, negativeTtlMs };
}
