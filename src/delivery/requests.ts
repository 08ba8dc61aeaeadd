/** What the application asks of a broker, SUBSCRIBE or UNSUBSCRIBE, and how it is put to the one of the present link. */
import type {
  ClientSubscribeCallback,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  PacketCallback,
} from 'mqtt';
import { FailoverError } from '../errors.js';
import type { MqttCore } from '../mqtt/mqtt-core.js';
import type { Link } from '../session/link.js';
import { isRefusal, unsupportedCode } from './filters.js';
import { supportedProperties } from './restoration.js';

/** Topic filters with their options. */
export type Filters = Readonly<Record<string, IClientSubscribeOptions>>;

export interface SubscribeRequest {
  readonly kind: 'subscribe';
  readonly filters: Filters;
  readonly properties: IClientSubscribeProperties['properties'];
  readonly callback: ClientSubscribeCallback;
  /** Filters that were unsubscribed from while the request waited for its answer. */
  readonly givenUp: Set<string>;
}

export interface UnsubscribeRequest {
  readonly kind: 'unsubscribe';
  readonly topics: string[];
  readonly options: IClientUnsubscribeProperties | undefined;
  readonly callback: PacketCallback;
}

export type Request = SubscribeRequest | UnsubscribeRequest;

/**
 * Told that the broker has answered a request. Not told of MQTT.js's "Connection closed", an answer without a packet: the
 * request waits for the next connection.
 *
 * @param accepted - The filters of a SUBSCRIBE that the broker took.
 * @param callBack - Gives the application its answer.
 */
export type Answered = (accepted: readonly string[], callBack: () => void) => void;

/** Puts a request to the broker of `link`. */
export function sendRequest(core: MqttCore, request: Request, link: Link, answered: Answered): void {
  if (request.kind === 'subscribe') sendSubscribe(core, request, link, answered);
  else sendUnsubscribe(core, request, answered);
}

function sendUnsubscribe(core: MqttCore, request: UnsubscribeRequest, answered: Answered): void {
  const { topics, options, callback } = request;
  core.unsubscribe([...topics], options, (error, packet) => {
    if (!error || packet) answered([], () => callback(error, packet));
  });
}

/** Filters that the broker announced not to support are not sent, but answered as it would have (R121). */
function sendSubscribe(
  core: MqttCore,
  { filters: wanted, properties, callback }: SubscribeRequest,
  { limits, endpoint }: Link,
  answered: Answered,
): void {
  const all = Object.entries(wanted);
  const withheld = new Map<string, number>();
  for (const [filter] of all) {
    const code = unsupportedCode(filter, limits);
    if (code !== undefined) withheld.set(filter, code);
  }
  const sent = all.filter(([filter]) => !withheld.has(filter));
  const finish: ClientSubscribeCallback = (error, granted = [], packet) => {
    if (error && !packet) return;
    const codes: readonly unknown[] = packet?.granted ?? [];
    const accepted = sent.filter((_, at) => !isRefusal(codes[at])).map(([filter]) => filter);
    answered(accepted, () => {
      if (withheld.size === 0) {
        callback(error, granted, packet);
        return;
      }
      const grants = all.map(([topic, options]) => {
        const code = withheld.get(topic);
        return code === undefined
          ? (granted.find((each) => each.topic === topic) ?? { ...options, topic })
          : { ...options, topic, qos: code as never };
      });
      callback(error ?? unsupported(withheld, endpoint.id), grants, packet);
    });
  };
  if (sent.length === 0) {
    queueMicrotask(() => finish(null, []));
    return;
  }
  const options = { properties: supportedProperties(properties, limits) };
  core.subscribe(Object.fromEntries(sent), options as IClientSubscribeProperties, finish);
}

function unsupported(withheld: ReadonlyMap<string, number>, endpoint: string): FailoverError {
  const [[filter, reasonCode] = ['', 0]] = withheld;
  const which = JSON.stringify(filter) + (withheld.size > 1 ? ` and ${withheld.size - 1} more` : '');
  const text = `Not subscribed to ${which}: ${endpoint} announced that it does not support such filters`;
  return new FailoverError('ERR_UNSUPPORTED', text, { endpoint, reasonCode, retryable: true });
}
