/** The examination of one endpoint, step by step; a step that fails ends it. */
import type { IClientOptions, IConnackPacket } from 'mqtt';
import type { Authorisation } from '../../discovery/authorisation.js';
import type { Endpoint } from '../../endpoint.js';
import { OUTCOMES } from '../../health/outcome-table.js';
import type { OutcomeKind } from '../../health/outcomes.js';
import { inspectCertificate } from '../../platform/node-certificate.js';
import type { DialTarget, HostAddress, Platform, Transport } from '../../platform/ports.js';
import { brokerLimits, LARGEST_PACKET } from '../../session/broker-limits.js';
import { certificateFinding } from './certificate.js';
import { type Finding, Notes, type ProblemCode } from './findings.js';
import { codeOf, type Exchange, exchange } from './mqtt-exchange.js';
import { dialAll, findAddresses, reasonOf } from './reach.js';
import { within } from './within.js';

/** What an examination needs. */
export interface ExaminationContext {
  readonly platform: Platform;
  readonly authorisation: Authorisation;
  /** How the endpoint came to be known, for people. */
  readonly origin: string;
  /** MQTT.js options of the client. */
  readonly mqtt: IClientOptions;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Examines one endpoint. */
export async function examine(endpoint: Endpoint, context: ExaminationContext): Promise<Notes> {
  const { platform, authorisation, origin, signal, timeoutMs, mqtt } = context;
  const { clock } = platform;
  const record = new Notes(endpoint.id, endpoint.url, () => clock.now());
  const limits = { clock, timeoutMs, signal };
  const target: DialTarget = { endpoint, options: { ...mqtt, ...endpoint.options } };
  const refusal = authorisation.refusal(endpoint);
  if (refusal !== undefined) {
    const code = refusal.includes('is not encrypted') ? 'plain-scheme' : 'foreign-host';
    const problems: [ProblemCode, string][] = [[code, `clients refuse ${endpoint.url}: ${refusal}`]];
    await record.noted('resolve', { detail: refusal, problems });
    return record;
  }
  let addresses: readonly HostAddress[] = [];
  const resolved = await record.step('resolve', async () => {
    const found = await findAddresses(target, origin, platform, authorisation, limits);
    addresses = found.addresses;
    return found.finding;
  });
  if (!resolved) return record;
  let address: HostAddress | undefined;
  await record.step('dial', async () => {
    const dialed = await dialAll(endpoint, addresses, platform, limits);
    address = dialed.address;
    return dialed.finding;
  });
  if (!address) return record;
  const at = address;
  if (isSecure(endpoint) && !(await record.step('tls', () => tls(target, at, context)))) return record;
  const opener = () => within(limits, (attempt) => platform.network.open(target, attempt, at));
  await converse(record, target, opener, context);
  return record;
}

function isSecure({ scheme }: Endpoint): boolean {
  return scheme === 'mqtts' || scheme === 'wss';
}

async function tls(
  { endpoint: { host, port }, options }: DialTarget,
  { address }: HostAddress,
  { platform: { clock }, timeoutMs, signal }: ExaminationContext,
): Promise<Finding> {
  const { ca, cert, key } = options;
  const own = Object.fromEntries(
    Object.entries({ ca, cert, key }).filter(([, value]) => value !== undefined),
  );
  try {
    const look = (attempt: AbortSignal) => inspectCertificate(host, address, port, own, attempt);
    return certificateFinding(await within({ clock, timeoutMs, signal }, look), host, clock.wallNow());
  } catch (error) {
    const text = `no TLS handshake: ${reasonOf(error)}`;
    return { detail: text, problems: [['tls-failed', text]] };
  }
}

/** WebSocket, CONNECT in MQTT 5 and if need be in 3.1.1, round trip, limits. */
async function converse(
  record: Notes,
  target: DialTarget,
  opener: () => Promise<Transport>,
  context: ExaminationContext,
): Promise<void> {
  const { scheme } = target.endpoint;
  let transport: Transport | undefined;
  const open = async (): Promise<Finding> => {
    try {
      transport = await opener();
      return { detail: 'upgraded' };
    } catch (error) {
      return unopened(scheme, error);
    }
  };
  if (scheme === 'ws' || scheme === 'wss') {
    if (!(await record.step('websocket', open))) return;
  } else {
    const opened = await open();
    if (!transport) {
      await record.noted('dial', opened);
      return;
    }
  }
  const first = transport as Transport | undefined;
  if (!first) return;
  const wanted = target.options.protocolVersion;
  let version = wanted ?? 5;
  let answer: Exchange | undefined;
  await record.step('connack', async () => {
    answer = await connect(first, version, target, context);
    if (wanted === undefined && isUnknownVersion(answer)) {
      const again = await opener().catch(() => undefined);
      const older = again && (await connect(again, 4, target, context));
      if (older?.connack && !isUnknownVersion(older)) {
        answer = older;
        version = 4;
      }
    }
    return connackFinding(answer, version);
  });
  if (!answer?.connack) return;
  const isOld = version === 4 && wanted === undefined;
  const old =
    'the broker speaks MQTT 3.1.1 only: no reason codes, no limits, no redirects (--protocol-version 4 takes that as right)';
  await record.noted(
    'protocol',
    isOld
      ? { detail: old, problems: [['mqtt-3-only', old]] }
      : { detail: `MQTT ${version === 5 ? '5' : '3.1.1'}` },
  );
  if (codeOf(answer.connack) !== 0) return;
  await record.noted('limits', { detail: limitsText(answer.connack, version) });
  await record.noted('round-trip', roundTrip(answer));
}

function unopened(scheme: Endpoint['scheme'], error: unknown): Finding {
  const isWebSocket = scheme === 'ws' || scheme === 'wss';
  const text = isWebSocket
    ? `the WebSocket upgrade failed: ${error instanceof Error ? error.message : reasonOf(error)}`
    : `the connection failed: ${reasonOf(error)}`;
  return { detail: text, problems: [[isWebSocket ? 'websocket-refused' : 'unreachable', text]] };
}

/** Hexadecimal digits that make the client id one of its own; 22 characters in all, as every broker takes 23 [MQTT-3.1.3-5]. */
const ID_DIGITS = 6;

function connect(
  transport: Transport,
  protocolVersion: 3 | 4 | 5,
  { options }: DialTarget,
  { platform: { clock, random }, timeoutMs, signal }: ExaminationContext,
): Promise<Exchange> {
  const { username, password, protocolId } = options;
  const digits = Math.floor(random.next() * 16 ** ID_DIGITS)
    .toString(16)
    .padStart(ID_DIGITS, '0');
  const given = Object.fromEntries(
    Object.entries({ username, password, protocolId }).filter(([, value]) => value !== undefined),
  );
  const connectOptions = {
    ...given,
    protocolVersion,
    clientId: `failover-doctor-${digits}`,
    clean: true,
    keepalive: 30,
  };
  return exchange(transport, connectOptions, clock, timeoutMs, signal);
}

/** How brokers of 3.1.1 meet MQTT 5: a code that says so, one of 3.1.1, a close without a word, or an answer that is none. */
function isUnknownVersion({ connack, failure }: Exchange): boolean {
  if (!connack) return failure === 'closed' || failure === 'malformed';
  const code = codeOf(connack);
  return code === 0x84 || code === 0x01;
}

const CREDENTIAL_CODES: ReadonlySet<number> = new Set([4, 5, 0x86, 0x87, 0x8c]);

const SILENCE: Readonly<Record<NonNullable<Exchange['failure']>, string>> = {
  closed: 'the connection was closed before CONNACK',
  silent: 'no CONNACK: the connection is accepted, and then nothing comes (timeout)',
  malformed: 'what came in answer to CONNECT is not MQTT',
};

function connackFinding({ connack, failure = 'silent', connackMs }: Exchange, version: 3 | 4 | 5): Finding {
  if (!connack) return { detail: SILENCE[failure], problems: [['no-connack', SILENCE[failure]]] };
  const code = codeOf(connack);
  const kind: OutcomeKind = version === 5 ? 'connack' : 'connack-v3';
  const row = OUTCOMES.find((each) => each.kind === kind && each.code === code);
  const hex = `0x${code.toString(16).padStart(2, '0')}`;
  const name = row?.name ?? 'a code without a meaning';
  if (code === 0) return { ms: connackMs, detail: 'accepted' };
  const isOfCredentials = CREDENTIAL_CODES.has(code);
  const text = isOfCredentials
    ? `CONNECT refused with ${hex} ${name}: wrong user name or password, or no permission`
    : `CONNECT refused with ${hex} ${name}${row ? ` (clients: ${row.action})` : ''}`;
  return {
    detail: `${hex} ${name}`,
    problems: [[isOfCredentials ? 'credentials-refused' : 'connect-refused', text]],
  };
}

function limitsText({ properties }: IConnackPacket, version: 3 | 4 | 5): string {
  if (version !== 5) return 'none are told in MQTT 3.1.1';
  const { maximumQos, retain, maximumPacketSize, receiveMaximum, ...features } = brokerLimits(properties);
  const missing = [
    retain ? '' : 'retain',
    features.wildcardSubscriptions ? '' : 'wildcards',
    features.sharedSubscriptions ? '' : 'shared subscriptions',
    features.subscriptionIdentifiers ? '' : 'subscription identifiers',
  ].filter((name) => name !== '');
  const size = maximumPacketSize === LARGEST_PACKET ? 'any size' : `${maximumPacketSize} bytes`;
  const keepalive =
    properties?.serverKeepAlive === undefined ? '' : `, keepalive ${properties.serverKeepAlive} s`;
  return `QoS ${maximumQos}, packets of ${size}, ${receiveMaximum} in flight${keepalive}${missing.length > 0 ? `, without ${missing.join(', ')}` : ''}`;
}

function roundTrip({ pingMs }: Exchange): Finding {
  if (pingMs !== undefined) return { ms: pingMs, detail: 'PINGREQ was answered' };
  const text = 'no PINGRESP: the broker took CONNECT and does not answer PINGREQ';
  return { detail: text, problems: [['no-pingresp', text]] };
}
