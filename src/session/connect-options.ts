/** Which MQTT.js options hold for one attempt: the client's, with those of the endpoint laid over. */
import type { IClientOptions } from 'mqtt';
import type { Endpoint } from '../endpoint.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { DialTarget } from '../platform/ports.js';
import type { SessionScope } from './session-scope.js';

/** Fields that MQTT.js reads from the client's live options when it writes CONNECT. */
const CONNECT_FIELDS = [
  'username',
  'password',
  'protocolVersion',
  'protocolId',
  'clean',
  'keepalive',
  'will',
  'properties',
  'authPacket',
] as const;

type Fields = { [F in (typeof CONNECT_FIELDS)[number]]?: unknown };

/**
 * Lays an endpoint's own CONNECT fields over the client's for one attempt, and takes them off for the next (C4).
 *
 * Applications may change `client.options` between attempts, as MQTT.js's documentation shows for fresh tokens: a
 * field that is not as this class left it is the application's new value for all endpoints.
 */
export class ConnectOptions {
  readonly #core: Pick<MqttCore, 'options' | 'client'>;
  readonly #scope: SessionScope;
  readonly #live: IClientOptions;
  readonly #base: Fields = {};
  #applied: Fields = {};
  /** What was asked for, where this attempt alone starts clean. */
  #wantsClean = false;

  constructor(core: Pick<MqttCore, 'options' | 'client'>, scope: SessionScope) {
    this.#core = core;
    this.#scope = scope;
    this.#live = core.options;
    for (const field of CONNECT_FIELDS) this.#base[field] = this.#live[field];
    this.#applied = { ...this.#base };
  }

  /** Fresh options for dialing `endpoint`. */
  target(endpoint: Endpoint): DialTarget {
    this.#noticeChanges();
    const options: IClientOptions = { ...this.#live, ...(this.#base as IClientOptions), ...endpoint.options };
    const { transformWsUrl } = options;
    if (transformWsUrl)
      options.transformWsUrl = (url, given) => transformWsUrl(url, given, this.#core.client);
    return { endpoint, options };
  }

  /** Makes the live options those of `target`; CONNECT is written from them next. */
  apply({ endpoint, overlay }: DialTarget): void {
    this.#noticeChanges();
    this.#applied = {};
    const own: Partial<IClientOptions> = { ...endpoint.options, ...overlay };
    for (const field of CONNECT_FIELDS) this.#applied[field] = own[field] ?? this.#base[field];
    this.#wantsClean = this.#applied.clean === true;
    // MQTT 3.1.1's flag would also throw away the session that is made now.
    if (this.#applied.protocolVersion === 5 && this.#scope.cleanStart(endpoint.id))
      this.#applied.clean = true;
    const { scheme: protocol, host, port } = endpoint;
    Object.assign(this.#live, this.#applied, { protocol, host, hostname: host, port });
  }

  /** A link came about: what it says of sessions is remembered for the next CONNECT. */
  linked(endpoint: string, resumed: boolean): void {
    this.#scope.linked(endpoint, resumed);
  }

  /** Whether the session, if there is one worth keeping, would come along to another endpoint. */
  mayLeave(): boolean {
    return this.#scope.mayLeave({ ...this.#live, clean: this.#wantsClean });
  }

  #noticeChanges(): void {
    for (const field of CONNECT_FIELDS) {
      if (this.#live[field] !== this.#applied[field]) this.#base[field] = this.#live[field];
    }
    this.#applied = Object.fromEntries(CONNECT_FIELDS.map((field) => [field, this.#live[field]]));
  }
}
