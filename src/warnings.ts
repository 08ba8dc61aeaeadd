/** What is allowed and yet rarely meant, said once, when a client starts. */
import type { IClientOptions } from 'mqtt';
import { utf8Length } from './delivery/message.js';

/** Payload of event `warning`. */
export interface Warning {
  /** What kind of warning; docs/troubleshooting.md has them all. */
  readonly code:
    | 'WILL_WITHOUT_DELAY'
    | 'LONG_CLIENT_ID'
    | 'IDENTITY_EPHEMERAL'
    | 'CODE_NOT_LOADED'
    | 'PROPERTIES_DROPPED'
    | 'MQTTJS_OPTION';
  /** What may happen, and what to write instead. */
  readonly message: string;
}

/** What every broker must accept [MQTT-3.1.3-5], and the two characters that all do. */
const SAFE_CLIENT_ID = /^[0-9A-Za-z_-]{1,23}$/;
/** Seconds that outlast the detection of a dead broker and two attempts elsewhere. */
const ADVISED_WILL_DELAY = 60;

/** Options of MQTT.js that say something else, or nothing, where there are several brokers: and what to write instead. */
const REPLACED: { readonly [K in keyof IClientOptions]?: (given: never) => string } = {
  reconnectPeriod: (ms: number) =>
    `is the least wait between passes over all brokers: write backoff: { minMs: ${ms} }`,
  connectTimeout: (ms: number) =>
    `bounds the attempt at one broker: write dial: { transportTimeoutMs, connackTimeoutMs }, which are ${ms} at most now`,
  reconnectOnConnackError: () => 'has no effect: docs/outcomes.md says what follows each refusal',
  reschedulePings: () => 'has no effect: write liveness: { suspectAfterMs, pingTimeoutMs }',
  forceNativeWebSocket: () => 'has no effect: write createWebsocket',
};

/** What to warn of in the options that the application wrote for MQTT.js. */
export function replacedOptionWarnings(options: IClientOptions): readonly Warning[] {
  return Object.entries(REPLACED).flatMap(([name, advice]) => {
    const given = options[name as keyof IClientOptions];
    // reconnectPeriod: 0 means what it always meant.
    if (given === undefined || given === 0) return [];
    return [{ code: 'MQTTJS_OPTION', message: `With several brokers, ${name} ${advice(given as never)}` }];
  });
}

/** What to warn of in the options of a client (R74, R112). */
export function warningsFor({ clientId = '', protocolVersion, will }: IClientOptions): readonly Warning[] {
  const warnings: Warning[] = [];
  if (will && protocolVersion === 5 && !will.properties?.willDelayInterval) {
    warnings.push({
      code: 'WILL_WITHOUT_DELAY',
      message: `The will has no delay: a broker that shuts down or sends the client away publishes it, though the client is back at once. Set will.properties.willDelayInterval to ${ADVISED_WILL_DELAY} seconds or more, and properties.sessionExpiryInterval to no less.`,
    });
  }
  if (!SAFE_CLIENT_ID.test(clientId)) {
    warnings.push({
      code: 'LONG_CLIENT_ID',
      message: `The client id has ${utf8Length(clientId)} bytes or other characters than 0-9, a-z, A-Z, _ and -: brokers need not accept it, and one of several may not.`,
    });
  }
  return warnings;
}
