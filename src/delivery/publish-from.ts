/** Publishes a stream of readings, as fast as it can be delivered and not faster. */
import type { IClientPublishOptions, PacketCallback } from 'mqtt';

/** One publish of a stream. */
export interface Publication {
  /** As for `publish`. */
  readonly topic: string;
  /** As for `publish`. */
  readonly payload: string | Uint8Array;
  /** As for `publish`; QoS 0 unless it says otherwise. */
  readonly options?: IClientPublishOptions;
}

/** See `FailoverClient.publishFrom`. */
export interface PublishFromOptions {
  /** Stops reading; what was read is delivered all the same. */
  readonly signal?: AbortSignal;
}

/** What `publishFrom` came to. */
export interface Published {
  /** How many publishes were delivered: all that the source gave. */
  readonly delivered: number;
}

/** What a stream is published to. */
export interface PublishTarget {
  publish(
    topic: string,
    payload: string | Uint8Array,
    options: IClientPublishOptions,
    callback: PacketCallback,
  ): void;
  /** Resolves when there is room for another publish, or `signal` is aborted. */
  room(signal: AbortSignal | undefined): Promise<void>;
}

/** QoS 0 waits for no acknowledgement, and so for no room: this many may wait to be written. */
const MAX_UNWRITTEN = 100;

/**
 * Publishes everything that `source` gives.
 *
 * @returns how many were delivered, when all that were read are.
 * @throws the error of the first publish that was not delivered, the source's own, or the reason of `signal`; the source
 * is closed then, and what was read before is still under way.
 */
export async function publishFrom(
  target: PublishTarget,
  source: AsyncIterable<Publication> | Iterable<Publication>,
  { signal }: PublishFromOptions = {},
): Promise<{ delivered: number }> {
  let delivered = 0;
  let pending = 0;
  let unwritten = 0;
  let failure: { readonly error: Error } | undefined;
  let wake = () => {};
  const changed = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  for await (const { topic, payload, options = {} } of source) {
    await target.room(signal);
    while (unwritten >= MAX_UNWRITTEN && !failure) await changed();
    if (failure) throw failure.error;
    signal?.throwIfAborted();
    const isUnacknowledged = !options.qos;
    pending += 1;
    if (isUnacknowledged) unwritten += 1;
    target.publish(topic, payload, options, (error) => {
      pending -= 1;
      if (isUnacknowledged) unwritten -= 1;
      if (error) failure ??= { error };
      else delivered += 1;
      wake();
    });
  }
  while (pending > 0 && !failure) await changed();
  if (failure) throw failure.error;
  return { delivered };
}
