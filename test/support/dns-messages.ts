/** DNS messages for scripted servers, by dns-packet: what a server read, and what it answers. */
import dnsPacket, { type Answer } from 'dns-packet';

/** A question as a server sees it. */
export interface SeenQuery {
  readonly id: number;
  /** As it came, in its letter case. */
  readonly name: string;
  readonly type: string;
  /** UDP payload size of the OPT record, if there is one. */
  readonly edns: number | undefined;
}

export interface Reply {
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
  /** Replaces the question's name, or its type. */
  readonly question?: { readonly name?: string; readonly type?: 'SRV' | 'A' };
  /** Added to the id. */
  readonly idOffset?: number;
}

export function readQuery(message: Uint8Array): SeenQuery {
  const { id = 0, questions = [], additionals = [] } = dnsPacket.decode(Buffer.from(message));
  const opt = additionals.find((record) => record.type === 'OPT');
  return {
    id,
    name: questions[0]?.name ?? '',
    type: questions[0]?.type ?? '',
    edns: opt?.type === 'OPT' ? opt.udpPayloadSize : undefined,
  };
}

/** The response to `query`, its question repeated as it came. */
export function encodeReply(query: Uint8Array, reply: Reply): Uint8Array {
  const { id, name } = readQuery(query);
  return dnsPacket.encode({
    type: 'response',
    id: (id + (reply.idOffset ?? 0)) & 0xffff,
    flags:
      dnsPacket.RECURSION_DESIRED |
      dnsPacket.RECURSION_AVAILABLE |
      (reply.truncated ? dnsPacket.TRUNCATED_RESPONSE : 0) |
      (reply.rcode ?? 0),
    questions: [{ type: 'SRV', name, ...reply.question }],
    answers: [...(reply.answers ?? [])],
    authorities: [...(reply.authorities ?? [])],
    additionals: [...(reply.additionals ?? [])],
  });
}

export interface SrvInit {
  readonly ttl?: number;
  readonly priority?: number;
  readonly weight?: number;
  readonly port?: number;
}

/** An SRV record; TTL 300, tier 0, weight 1, port 1883 unless given. */
export function srv(name: string, target: string, init: SrvInit = {}): Answer {
  const { ttl = 300, priority = 0, weight = 1, port = 1883 } = init;
  return { type: 'SRV', name, ttl, class: 'IN', data: { priority, weight, port, target } };
}

export function cname(name: string, target: string, ttl = 300): Answer {
  return { type: 'CNAME', name, ttl, class: 'IN', data: target };
}

export function soa(name: string, ttl: number, minimum: number): Answer {
  return { type: 'SOA', name, ttl, class: 'IN', data: { mname: 'ns', rname: 'h', minimum } };
}
