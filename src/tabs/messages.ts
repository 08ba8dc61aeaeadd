/**
 * What the tabs of `tabs: 'shared'` tell each other. One of them, the leader, has the connection; the others ask it.
 *
 * Every message goes over one BroadcastChannel. The sender is code of the same origin, which could do anything to us
 * anyway; the shape is checked all the same, as another version of the page may be open.
 */
import type {
  IClientPublishOptions,
  IClientSubscribeOptions,
  IClientSubscribeProperties,
  IClientUnsubscribeProperties,
  IConnackPacket,
  ISubscriptionMap,
} from 'mqtt';
import * as v from 'valibot';
import { FailoverError, type FailoverErrorCode } from '../errors.js';
import type { ClientStatus } from '../status.js';

/** What a tab asks of the leader; answered by `settled` with the same number. */
export type TabRequest =
  | {
      readonly kind: 'publish';
      readonly topic: string;
      readonly payload: string | Uint8Array;
      readonly options: IClientPublishOptions;
    }
  | {
      readonly kind: 'subscribe';
      readonly topics: string[] | ISubscriptionMap;
      readonly options: IClientSubscribeOptions | IClientSubscribeProperties | undefined;
    }
  | {
      readonly kind: 'unsubscribe';
      readonly topics: string[];
      readonly options: IClientUnsubscribeProperties | undefined;
    }
  | { readonly kind: 'call'; readonly method: 'moveTo' | 'rebalance' | 'reconnect'; readonly id?: string };

/** A filter that a tab has, to be subscribed to by a new leader. */
export interface TabFilter {
  readonly topics: ISubscriptionMap;
  readonly options: IClientSubscribeProperties | undefined;
}

type Body =
  /** Who leads? */
  | { readonly kind: 'ask' }
  /** I lead: a sign of life, and what is new. A higher term is a later leader. */
  | {
      readonly kind: 'lead';
      readonly term: number;
      readonly status: ClientStatus;
      readonly connack: IConnackPacket | undefined;
    }
  /** I lead no longer; the next one will be heard soon. */
  | { readonly kind: 'bye' }
  | { readonly kind: 'join'; readonly filters: readonly TabFilter[] }
  | { readonly kind: 'leave' }
  | { readonly kind: 'request'; readonly n: number; readonly request: TabRequest }
  /** A request that came too late for this leader, and was not begun. */
  | { readonly kind: 'declined'; readonly n: number }
  | {
      readonly kind: 'settled';
      readonly n: number;
      readonly error: WireError | undefined;
      readonly value: unknown;
    }
  | {
      readonly kind: 'message';
      readonly topic: string;
      readonly payload: Uint8Array;
      readonly packet: object;
    }
  | { readonly kind: 'event'; readonly name: string; readonly payload: unknown };

/** @typeParam B - The body, which `post` completes. */
export type TabMessage = Body & { readonly from: string; readonly to?: string };

/** A {@link TabMessage} before the sender is added. */
export type Outgoing = Body & { readonly to?: string };

const record = v.custom<object>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);
const address = { from: v.string(), to: v.optional(v.string()) };
const bytes = v.instance(Uint8Array);
const topics = v.union([
  v.array(v.string()),
  v.record(v.string(), v.union([v.object({ qos: v.picklist([0, 1, 2]) }), v.boolean()])),
]);
const options = v.optional(record);
const wireError = v.object({ name: v.string(), message: v.string() });
const grants = v.nullish(v.array(v.object({ topic: v.string(), qos: v.number() })));
/** Numbers of requests and terms: both are counted up. */
const count = v.pipe(v.number(), v.safeInteger());

const REQUEST = v.variant('kind', [
  v.object({
    kind: v.literal('publish'),
    topic: v.string(),
    payload: v.union([v.string(), bytes]),
    options: v.object({ properties: v.optional(v.object({ correlationData: v.optional(bytes) })) }),
  }),
  v.object({ kind: v.literal('subscribe'), topics, options }),
  v.object({ kind: v.literal('unsubscribe'), topics: v.array(v.string()), options }),
  v.object({
    kind: v.literal('call'),
    method: v.picklist(['moveTo', 'rebalance', 'reconnect']),
    id: v.optional(v.string()),
  }),
]);

/** What the receivers of a {@link TabMessage} rely on. */
const MESSAGE = v.variant('kind', [
  v.object({ kind: v.picklist(['ask', 'bye', 'leave']), ...address }),
  v.object({ kind: v.literal('lead'), ...address, term: count, status: record, connack: v.optional(record) }),
  v.object({ kind: v.literal('join'), ...address, filters: v.array(v.object({ topics, options })) }),
  v.object({ kind: v.literal('request'), ...address, n: count, request: REQUEST }),
  v.object({ kind: v.literal('declined'), ...address, n: count }),
  v.object({ kind: v.literal('settled'), ...address, n: count, error: v.optional(wireError), value: grants }),
  v.object({ kind: v.literal('message'), ...address, topic: v.string(), payload: bytes, packet: record }),
  v.object({ kind: v.literal('event'), ...address, name: v.string(), payload: record }),
]);

/** Reads what came over the channel, as it is; `undefined` if it is nothing of ours, or of another version. */
export function readMessage(value: unknown): TabMessage | undefined {
  return v.is(MESSAGE, value) ? (value as TabMessage) : undefined;
}

/** An error as structured cloning keeps it: fields of its own would be lost. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly code?: FailoverErrorCode;
  readonly retryable?: boolean;
  readonly endpoint?: string;
  readonly reasonCode?: number;
}

/** Packs an error for the channel. */
export function packError(error: Error): WireError {
  const { name, message } = error;
  if (!(error instanceof FailoverError)) return { name, message };
  const { code, retryable, endpoint, reasonCode } = error;
  return {
    name,
    message,
    code,
    retryable,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(reasonCode === undefined ? {} : { reasonCode }),
  };
}

/** The error that {@link packError} packed, without its cause. */
export function unpackError({ name, message, code, ...details }: WireError): Error {
  if (code !== undefined) return new FailoverError(code, message, details);
  return Object.assign(new Error(message), { name });
}

/** Packs the errors in the payload of an event. */
export function packPayload(payload: object): object {
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => [
      key,
      value instanceof Error ? { wireError: packError(value) } : value,
    ]),
  );
}

/** Undoes {@link packPayload}. */
export function unpackPayload(payload: object): object {
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => {
      const packed = (value as { wireError?: WireError } | null)?.wireError;
      return [key, packed ? unpackError(packed) : value];
    }),
  );
}
