/**
 * A stub resolver: asks the system's DNS servers, or given ones, over UDP and TCP.
 *
 * The platform's own resolver does not give TTLs for SRV records (R17), and without them nobody knows when to ask
 * again. What a forger has to guess per question: id, source port, and the letter case of the name (RFC 5452, 0x20).
 */
import { messageOf } from '../../errors.js';
import type { Clock, DnsServer, DnsTransport } from '../../platform/ports.js';
import { withDeadline } from '../with-deadline.js';
import { type DecodeMessage, type DnsMessage, finalAnswer, loadDecoder } from './decode.js';
import { DnsFailure, type DnsReason } from './dns-failure.js';
import type { DnsAnswer } from './dns-query.js';
import { compareReply, encodeQuery, RCODES } from './message.js';
import { parseResolvConf, type StubConfig, stubConfig } from './resolv-conf.js';
import { showDnsServer } from './server-address.js';

export interface StubResolverDeps {
  readonly dns: DnsTransport;
  readonly clock: Clock;
  /** Left out: those of the system, read anew for each question so that a change counts at once (R32). */
  readonly servers?: readonly DnsServer[] | undefined;
}

/**
 * Milliseconds that one resolution takes at most, whatever resolv.conf says (R32). Below the ten seconds of the
 * watcher, so that it is this error that people see.
 */
const BUDGET_MS = 9_500;
/** Milliseconds that are too few to ask anybody. */
const SCRAP_MS = 100;

/** Answers after which the same server is asked once more without EDNS (RFC 6891 §7). */
const DISLIKES_EDNS: ReadonlySet<number> = new Set([RCODES.FORMERR, RCODES.NOTIMP, RCODES.BADVERS]);

/** Asks one server after another. Holds no sockets between questions. */
export class StubResolver {
  readonly #deps: StubResolverDeps;
  #rotation = 0;

  constructor(deps: StubResolverDeps) {
    this.#deps = deps;
  }

  /** As {@link DnsQuery}. */
  async query(name: string, signal: AbortSignal): Promise<DnsAnswer> {
    const { clock } = this.#deps;
    const endsAt = clock.now() + BUDGET_MS;
    const { servers, timeoutMs, attempts } = await this.#config();
    // Every server gets its turn within the budget, however patient the configuration is.
    const patienceMs = Math.min(timeoutMs, BUDGET_MS / servers.length);
    const failures = new Map<DnsServer, DnsFailure>();
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      for (const server of servers) {
        const waitMs = Math.min(patienceMs, endsAt - clock.now());
        if (waitMs < SCRAP_MS) break;
        try {
          return await this.#askWithin(waitMs, server, name, signal);
        } catch (error) {
          signal.throwIfAborted();
          failures.set(server, asFailure(error, server));
        }
      }
    }
    throw summary([...failures.values()]);
  }

  async #config(): Promise<StubConfig> {
    const { dns, servers } = this.#deps;
    const config = servers ? stubConfig(servers) : parseResolvConf(await dns.resolvConf());
    if (!config.rotate) return config;
    const start = this.#rotation % config.servers.length;
    this.#rotation += 1;
    return { ...config, servers: [...config.servers.slice(start), ...config.servers.slice(0, start)] };
  }

  #askWithin(ms: number, server: DnsServer, name: string, signal: AbortSignal): Promise<DnsAnswer> {
    const late = () =>
      new DnsFailure('timeout', `${showDnsServer(server)} did not answer within ${Math.round(ms)} ms`);
    return withDeadline(this.#deps.clock, ms, signal, late, (limit) => this.#ask(server, name, limit));
  }

  async #ask(server: DnsServer, name: string, signal: AbortSignal): Promise<DnsAnswer> {
    const first = await this.#exchange(server, name, true, signal);
    const message = DISLIKES_EDNS.has(first.rcode)
      ? await this.#exchange(server, name, false, signal)
      : first;
    return finalAnswer(message, showDnsServer(server));
  }

  /** One question over UDP, over TCP where UDP will not do, and the answer. */
  async #exchange(server: DnsServer, name: string, edns: boolean, signal: AbortSignal): Promise<DnsMessage> {
    const { dns } = this.#deps;
    const query = this.#newQuery(name, edns);
    const accept = (reply: Uint8Array) => compareReply(query, reply) !== 'no';
    // The decoder loads while the question is under way.
    const [reply, decode] = await Promise.all([dns.udp(server, query, accept, signal), loadDecoder()]);
    if (compareReply(query, reply) === 'exact') {
      const message = decode(reply);
      if (!message.truncated) return message;
    }
    return this.#exchangeTcp(server, name, edns, decode, signal);
  }

  async #exchangeTcp(
    server: DnsServer,
    name: string,
    edns: boolean,
    decode: DecodeMessage,
    signal: AbortSignal,
  ): Promise<DnsMessage> {
    const query = this.#newQuery(name, edns);
    const reply = await this.#deps.dns.tcp(server, query, signal);
    // Nobody off the path can speak on a TCP connection: letter case proves nothing more here.
    if (compareReply(query, reply) === 'no')
      throw new DnsFailure('malformed', 'the reply over TCP is to another question');
    const message = decode(reply);
    if (message.truncated) throw new DnsFailure('truncated', 'the reply is truncated even over TCP');
    return message;
  }

  #newQuery(name: string, edns: boolean): Uint8Array {
    const bytes = this.#deps.dns.randomBytes(2 + name.length);
    const [high = 0, low = 0, ...chances] = bytes;
    const mixed = [...name].map((letter, i) => ((chances[i] as number) & 1 ? letter.toUpperCase() : letter));
    return encodeQuery((high << 8) | low, mixed.join(''), edns);
  }
}

const NAMES_SERVER: ReadonlySet<DnsReason> = new Set<DnsReason>(['timeout', 'rcode']);

/** A failure that names its server. */
function asFailure(error: unknown, server: DnsServer): DnsFailure {
  if (error instanceof DnsFailure && NAMES_SERVER.has(error.reason)) return error;
  const reason = error instanceof DnsFailure ? error.reason : 'network';
  const what = messageOf(error);
  return new DnsFailure(reason, `${showDnsServer(server)}: ${what}`, { cause: error });
}

function summary(failures: readonly DnsFailure[]): DnsFailure {
  const [first] = failures;
  if (failures.length === 1 && first) return first;
  const text = failures.map(({ message }) => message).join('; ');
  return new DnsFailure(failures.at(-1)?.reason ?? 'timeout', text, { cause: first });
}
