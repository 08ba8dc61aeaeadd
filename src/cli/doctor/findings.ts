/** What `doctor` finds: steps, and problems with a closed set of codes. */

/**
 * Every `code` of a problem.
 *
 * | code | meaning |
 * | --- | --- |
 * | `srv-not-found` | the SRV name does not exist, or has no SRV records |
 * | `srv-unavailable` | the domain says itself that it does not offer the service (target `.`) |
 * | `dns-failed` | no DNS server gave a usable answer |
 * | `foreign-host` | DNS or a registry names a host that does not belong to its domain |
 * | `plain-scheme` | discovery names an unencrypted broker that nothing asked for |
 * | `registry-not-json` | the registry answers with a web page, or anything but JSON |
 * | `registry-failed` | the registry does not answer, or answers with an error |
 * | `registry-invalid` | the registry's document is refused, or has no usable broker |
 * | `node-skipped` | the list has an entry that clients leave out |
 * | `no-brokers` | the list is empty |
 * | `clock-skew` | the clock of this machine and one of the other side disagree |
 * | `host-not-found` | the host name of a broker has no address |
 * | `address-refused` | the host leads to addresses that its source may not name |
 * | `connection-refused` | nobody listens at the port |
 * | `no-answer` | nothing came back: a firewall that drops, or a host that is down |
 * | `unreachable` | the connection failed in another way |
 * | `certificate-expired` | the certificate's time is over |
 * | `certificate-name` | the certificate is for another name |
 * | `certificate-untrusted` | the certificate comes from no authority that is trusted here |
 * | `tls-failed` | there was no TLS handshake |
 * | `websocket-refused` | the WebSocket upgrade failed |
 * | `no-connack` | no answer to CONNECT |
 * | `credentials-refused` | wrong user name or password, or not authorised |
 * | `connect-refused` | CONNECT was refused for another reason |
 * | `mqtt-3-only` | the broker speaks MQTT 3.1.1 and not MQTT 5 |
 * | `no-pingresp` | no answer to PINGREQ |
 */
export type ProblemCode =
  | 'srv-not-found'
  | 'srv-unavailable'
  | 'dns-failed'
  | 'foreign-host'
  | 'plain-scheme'
  | 'registry-not-json'
  | 'registry-failed'
  | 'registry-invalid'
  | 'node-skipped'
  | 'no-brokers'
  | 'clock-skew'
  | 'host-not-found'
  | 'address-refused'
  | 'connection-refused'
  | 'no-answer'
  | 'unreachable'
  | 'certificate-expired'
  | 'certificate-name'
  | 'certificate-untrusted'
  | 'tls-failed'
  | 'websocket-refused'
  | 'no-connack'
  | 'credentials-refused'
  | 'connect-refused'
  | 'mqtt-3-only'
  | 'no-pingresp';

/** What is looked at, in this order. */
export type StepName =
  | 'resolve'
  | 'dial'
  | 'tls'
  | 'websocket'
  | 'connack'
  | 'protocol'
  | 'limits'
  | 'round-trip'
  | 'clock';

/** One step that was made; those after one that stops the examination are left out. */
export interface Step {
  readonly step: StepName;
  readonly ok: boolean;
  /** Milliseconds, to a tenth. */
  readonly ms: number;
  /** What was found, for people. */
  readonly detail: string;
}

/** One thing that is wrong. */
export interface Problem {
  readonly code: ProblemCode;
  /** Id of the endpoint, or of the source that was asked for endpoints. */
  readonly endpoint: string;
  readonly text: string;
}

/** What was found of one endpoint, or of a source of endpoints. */
export interface Examination {
  readonly id: string;
  /** Without user info and query. */
  readonly url: string;
  readonly ok: boolean;
  readonly steps: readonly Step[];
}

/** The answer of `doctor`, as its JSON has it. */
export interface Diagnosis {
  readonly ok: boolean;
  readonly endpoints: readonly Examination[];
  readonly problems: readonly Problem[];
}

/** What a step came to. */
export interface Finding {
  /** Milliseconds, where they were measured already. */
  readonly ms?: number;
  readonly detail: string;
  readonly problems?: readonly (readonly [code: ProblemCode, text: string])[];
}

/** Takes notes on one endpoint or source. */
export class Notes {
  readonly #id: string;
  readonly #url: string;
  readonly #now: () => number;
  readonly #steps: Step[] = [];
  readonly problems: Problem[] = [];

  /** @param now - Monotonic milliseconds. */
  constructor(id: string, url: string, now: () => number) {
    this.#id = id;
    this.#url = url;
    this.#now = now;
  }

  /** Makes a step; returns whether nothing was wrong with it. `make` throws for what nobody has foreseen. */
  async step(step: StepName, make: () => Promise<Finding> | Finding): Promise<boolean> {
    const startedAt = this.#now();
    const finding = await make();
    const { detail, problems = [] } = finding;
    const ms = Math.round((finding.ms ?? this.#now() - startedAt) * 10) / 10;
    this.#steps.push({ step, ok: problems.length === 0, ms, detail });
    for (const [code, text] of problems) this.problems.push({ code, endpoint: this.#id, text });
    return problems.length === 0;
  }

  /** Notes a step that was made together with others. */
  async noted(step: StepName, finding: Finding): Promise<boolean> {
    return this.step(step, () => finding);
  }

  get examination(): Examination {
    return { id: this.#id, url: this.#url, ok: this.problems.length === 0, steps: this.#steps };
  }
}
