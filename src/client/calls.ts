/** Reads what MQTT.js's methods may be called with: callbacks in more than one place, topics in more than one form. */
import mqtt, { type IClientPublishOptions, type IDisconnectPacket, type ISubscriptionMap } from 'mqtt';

/** What `end` was called with. */
export interface EndCall {
  readonly force: boolean;
  readonly packet: Partial<IDisconnectPacket> | undefined;
  readonly done: (error?: Error) => void;
}

export function readEnd(...args: readonly unknown[]): EndCall {
  return {
    force: args[0] === true,
    packet: args.find((arg) => typeof arg === 'object' && arg !== null) as EndCall['packet'],
    done: (args.find((arg) => typeof arg === 'function') as EndCall['done'] | undefined) ?? noop,
  };
}

/** Whether `topics` may be sent; if not, `callback` is told which may not. */
export function areSendable(
  topics: readonly string[] | ISubscriptionMap,
  callback: (error: Error) => void,
): boolean {
  const names = Array.isArray(topics) ? topics : Object.keys(topics).filter((name) => name !== 'resubscribe');
  // MQTT.js lets these pass; brokers close the connection over them, and would so again on every endpoint.
  const unusable = names.find((name) => name === '' || name.includes('\u0000'));
  const invalid = unusable ?? mqtt.validateTopics(names);
  if (invalid === null) return true;
  queueMicrotask(() => callback(new Error(`Invalid topic ${invalid}`)));
  return false;
}

/** For callers who do not want to be called back. */
export function noop(): void {}

/** For publishes without any; one object for all of them. */
export const NO_OPTIONS: IClientPublishOptions = Object.freeze({});
