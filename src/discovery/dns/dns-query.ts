/** What discovery asks of the DNS, whoever carries the question: our stub resolver or DNS over HTTPS. */

/** An SRV record, or an alias on the way to one. Names are as they came, without trailing dot; `.` is the root. */
export type DnsRecord = SrvRecord | AliasRecord;

/** RFC 2782. */
export interface SrvRecord {
  readonly type: 'SRV';
  readonly name: string;
  readonly ttlMs: number;
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** CNAME. */
export interface AliasRecord {
  readonly type: 'CNAME';
  readonly name: string;
  readonly ttlMs: number;
  readonly target: string;
}

/** A final answer: NOERROR, or NXDOMAIN with no records. */
export interface DnsAnswer {
  /** Who answered, for messages. */
  readonly server: string;
  readonly exists: boolean;
  /** Records of class IN in the answer section, in the order they came. */
  readonly records: readonly DnsRecord[];
  /** Milliseconds that a negative answer holds, from the SOA record if there was one (RFC 2308 §5). */
  readonly negativeTtlMs: number | undefined;
}

/**
 * Asks for the SRV records of `name`, an absolute name in A-labels.
 *
 * @throws {@link DnsFailure} when no server gave a final answer.
 */
export type DnsQuery = (name: string, signal: AbortSignal) => Promise<DnsAnswer>;
