/**
 * DNS messages as bytes: writes a question, tells whether a reply is one to it, and checks a reply's structure.
 *
 * The question is written here and not by dns-packet, so that it is under way while dns-packet loads. The check comes
 * before dns-packet's decoder, which trusts counts and follows whatever types a message holds (R34).
 */
import { DnsFailure } from './dns-failure.js';

/** Record types that are read; all others are skipped undecoded (R8). */
const SRV = 33;
export const CNAME = 5;
const SOA = 6;
const OPT = 41;
const CLASS_IN = 1;

/** Response codes that the resolver tells apart; 16 needs EDNS (RFC 6891 §6.1.3). */
export const RCODES = { NOERROR: 0, FORMERR: 1, NXDOMAIN: 3, NOTIMP: 4, BADVERS: 16 } as const;

/** EDNS0 payload size that crosses every common path unfragmented (DNS flag day 2020). */
const UDP_PAYLOAD_BYTES = 1_232;
const HEADER_BYTES = 12;
const MAX_MESSAGE_BYTES = 65_535;
/** More than 64 KiB of real SRV records hold. */
const MAX_RECORDS = 2_048;
const MAX_POINTERS = 128;
/** RFC 1035 §2.3.4, without the root label. */
const MAX_NAME_BYTES = 254;
/** Labels walked in one message: pointers let a small message name very much. */
const MAX_LABELS = 32_768;

/** Where a record is in its message. */
export interface RecordPlace {
  readonly section: 'answer' | 'authority';
  readonly type: number;
  readonly ttlMs: number;
  /** Offset of the owner name. */
  readonly nameAt: number;
  /** Offset of RDLENGTH, which is where dns-packet's readers of record data start. */
  readonly dataAt: number;
}

/** A message whose structure is sound. */
export interface ScannedMessage {
  /** With the upper bits of EDNS, if any. */
  readonly rcode: number;
  readonly truncated: boolean;
  /** SRV and CNAME of the answer section and SOA of the authority section, of class IN. */
  readonly records: readonly RecordPlace[];
}

/**
 * Writes the question for the SRV records of `name`, with recursion desired.
 *
 * @param name - ASCII, without trailing dot, already checked for the lengths of RFC 1035.
 * @param edns - Whether to add an OPT record (RFC 6891 §6.1.2).
 */
export function encodeQuery(id: number, name: string, edns: boolean): Uint8Array {
  const labels = name.split('.').map((label) => new TextEncoder().encode(label));
  const qname = labels.flatMap((label) => [label.length, ...label]);
  const pair = (value: number) => [value >> 8, value & 0xff];
  return Uint8Array.from([
    ...[...pair(id), 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, edns ? 1 : 0],
    ...[...qname, 0, ...pair(SRV), ...pair(CLASS_IN)],
    ...(edns ? [0, ...pair(OPT), ...pair(UDP_PAYLOAD_BYTES), 0, 0, 0, 0, 0, 0] : []),
  ]);
}

/**
 * Compares a reply with the query it claims to answer: id, opcode and question (RFC 5452 §9.1). Who sent it is the
 * transport's business.
 *
 * @returns `exact`; `case` when the name came back in other letter case (0x20); `no` for anything else.
 */
export function compareReply(query: Uint8Array, reply: Uint8Array): 'exact' | 'case' | 'no' {
  if (reply.length < HEADER_BYTES || reply[0] !== query[0] || reply[1] !== query[1]) return 'no';
  const isResponseToQuery = ((reply[2] as number) & 0xf8) === 0x80;
  if (!isResponseToQuery) return 'no';
  const rcode = (reply[3] as number) & 0x0f;
  const questions = uint16(reply, 4);
  // A server that does not understand the message may not repeat it (RFC 6891 §7); that only leads to a plainer one.
  if (questions === 0) return reply.length === HEADER_BYTES && REFUSES_FORMAT.has(rcode) ? 'exact' : 'no';
  const end = questionEnd(query);
  if (questions !== 1 || reply.length < end) return 'no';
  let same = true;
  for (let at = HEADER_BYTES; at < end; at += 1) {
    const ours = query[at] as number;
    const theirs = reply[at] as number;
    if (ours === theirs) continue;
    // Type, class and label lengths are no letters: only the name can differ in case.
    if (lower(ours) !== lower(theirs)) return 'no';
    same = false;
  }
  return same ? 'exact' : 'case';
}

const REFUSES_FORMAT: ReadonlySet<number> = new Set([RCODES.FORMERR, RCODES.NOTIMP]);

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** Offset behind the question of a query of ours. */
function questionEnd(query: Uint8Array): number {
  let at = HEADER_BYTES;
  while (query[at] !== 0) at += (query[at] as number) + 1;
  return at + 5;
}

/**
 * Checks the structure of a response: lengths, counts, names and the data of the records that are read. Bounded in
 * time whatever the message is, and allocates nothing in proportion to what it claims.
 *
 * @throws {@link DnsFailure} `malformed`.
 */
export function scanMessage(bytes: Uint8Array): ScannedMessage {
  if (bytes.length < HEADER_BYTES) throw malformed('shorter than a header');
  if (bytes.length > MAX_MESSAGE_BYTES) throw malformed('longer than 65535 bytes');
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) =>
    uint16(bytes, at),
  ) as Counts;
  if (questions > 1) throw malformed(`${questions} questions`);
  const total = answers + authorities + additionals;
  if (total > MAX_RECORDS) throw malformed(`more than ${MAX_RECORDS} records`);
  const names = new NameWalker(bytes);
  let at = HEADER_BYTES;
  if (questions === 1) at = names.end(at) + 4;
  const records: RecordPlace[] = [];
  let extendedRcode = 0;
  for (let index = 0; index < total; index += 1) {
    const nameAt = at;
    at = names.end(at);
    const dataAt = at + 8;
    if (dataAt + 2 > bytes.length) throw malformed('a record is cut off');
    const type = uint16(bytes, at);
    const end = dataAt + 2 + uint16(bytes, dataAt);
    if (end > bytes.length) throw malformed('the data of a record is cut off');
    const section = index < answers ? 'answer' : index < answers + authorities ? 'authority' : 'additional';
    if (section === 'additional') {
      if (type === OPT) extendedRcode = bytes[at + 4] as number;
    } else if (uint16(bytes, at + 2) === CLASS_IN && READ[section].has(type)) {
      checkData(names, type, dataAt + 2, end);
      records.push({ section, type, ttlMs: ttlMs(bytes, at + 4), nameAt, dataAt });
    }
    at = end;
  }
  return {
    rcode: ((bytes[3] as number) & 0x0f) | (extendedRcode << 4),
    truncated: ((bytes[2] as number) & 0x02) !== 0,
    records,
  };
}

type Counts = [number, number, number, number];

const READ = { answer: new Set([SRV, CNAME]), authority: new Set([SOA]) } as const;

/** Fixed bytes before and after the names in the data of a record. */
const LAYOUT: Readonly<Record<number, { before: number; names: number; after: number }>> = {
  [SRV]: { before: 6, names: 1, after: 0 },
  [CNAME]: { before: 0, names: 1, after: 0 },
  [SOA]: { before: 0, names: 2, after: 20 },
};

function checkData(names: NameWalker, type: number, start: number, end: number): void {
  const { before, names: count, after } = LAYOUT[type] as (typeof LAYOUT)[number];
  let at = start + before;
  for (let i = 0; i < count; i += 1) {
    if (at >= end) throw malformed('the data of a record is too short');
    at = names.end(at);
  }
  if (at + after !== end) throw malformed('the data of a record has the wrong length');
}

/** Walks names, counting labels over the whole message. */
class NameWalker {
  readonly #bytes: Uint8Array;
  #labels = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Offset behind the name at `start`, all of which has been checked. */
  end(start: number): number {
    const bytes = this.#bytes;
    let end: number | undefined;
    let length = 0;
    let pointers = 0;
    let before = start;
    for (let at = start; ; ) {
      const size = bytes[at];
      if (size === undefined) throw malformed('a name is cut off');
      if (size === 0) return end ?? at + 1;
      if (size < 0x40) {
        length += size + 1;
        this.#labels += 1;
        if (length > MAX_NAME_BYTES) throw malformed('a name is longer than 255 bytes');
        if (this.#labels > MAX_LABELS) throw malformed('too many labels');
        at += size + 1;
        continue;
      }
      const low = bytes[at + 1];
      if (size < 0xc0 || low === undefined) throw malformed('a name has a bad label');
      const target = ((size & 0x3f) << 8) | low;
      pointers += 1;
      // Strictly backwards, so that it ends.
      if (target >= before || pointers > MAX_POINTERS) throw malformed('a name has a bad pointer');
      end ??= at + 2;
      before = target;
      at = target;
    }
  }
}

/** RFC 2181 §8: a TTL with the highest bit set is zero. */
function ttlMs(bytes: Uint8Array, at: number): number {
  const seconds = uint16(bytes, at) * 0x1_0000 + uint16(bytes, at + 2);
  return seconds < 0x8000_0000 ? seconds * 1_000 : 0;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function malformed(what: string): DnsFailure {
  return new DnsFailure('malformed', `the reply is malformed: ${what}`);
}
