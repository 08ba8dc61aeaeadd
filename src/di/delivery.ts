/** Wires what outlives connections: publishes, with the store that some of them have, and subscriptions. */
import { heldTogether } from '../delivery/bounds.js';
import { DedupIds } from '../delivery/dedup-ids.js';
import { Delivery } from '../delivery/delivery.js';
import { LateBacklog, type MakeBacklog } from '../delivery/late-backlog.js';
import { Outbox } from '../delivery/outbox.js';
import { Publisher } from '../delivery/publisher.js';
import { Retries } from '../delivery/retries.js';
import { Subscriptions } from '../delivery/subscriptions.js';
import type { ResolvedOptions } from '../options/resolved.js';
import { own, type PartContainer, type ProcessParts } from './parts.js';
import { tokens } from './tokens.js';

/** Filters in one SUBSCRIBE when subscriptions are restored. */
const SUBSCRIBE_BATCH = 50;

export function registerDelivery(
  register: PartContainer['register'],
  options: ResolvedOptions,
  process: ProcessParts,
): void {
  const { outbox, mqtt } = options;
  register(own.retries, (c) => new Retries(c.resolve(tokens.clock), c.resolve(tokens.random)));
  register(tokens.outbox, (c) => {
    return new Outbox(outbox, {
      clock: c.resolve(tokens.clock),
      events: c.resolve(own.events),
      elsewhere: heldTogether(c.resolve(own.inFlight), c.resolve(own.retries)),
      freeBuffer: process.platform.freeBuffer,
      makeBacklog: backlogMaker(c, options, process),
    });
  });
  register(own.delivery, (c) => {
    const publisher = publisherOf(c, options, process);
    const subscriptions = new Subscriptions({
      core: c.resolve(own.core),
      clock: c.resolve(tokens.clock),
      random: c.resolve(tokens.random),
      events: c.resolve(own.events),
      options: {
        resubscribe: mqtt.resubscribe ?? true,
        batchSize: mqtt.subscribeBatchSize ?? SUBSCRIBE_BATCH,
      },
    });
    return new Delivery(publisher, subscriptions);
  });
}

/** What makes the part of an outbox that outlives the process; without a store, nothing. */
function backlogMaker(
  c: PartContainer,
  { outbox: { store, codec } }: ResolvedOptions,
  { loadStores }: ProcessParts,
): MakeBacklog | undefined {
  if (store === undefined) return undefined;
  const { options } = c.resolve(own.core);
  const random = c.resolve(tokens.random);
  const speaksMqtt5 = () => options.protocolVersion === 5;
  return (shared, owner) => {
    const load = async () => {
      const { Backlog, stores } = await loadStores();
      const lease = () => stores.lease(store, options.clientId ?? '');
      return new Backlog({ ...shared, lease, codec, random, speaksMqtt5 }, owner);
    };
    return new LateBacklog(load, owner, shared.events);
  };
}

function publisherOf(
  c: PartContainer,
  { outbox, mqtt }: ResolvedOptions,
  { platform: { byteLength }, tools: { createGate } }: ProcessParts,
): Publisher {
  return new Publisher({
    outbox: c.resolve(tokens.outbox),
    inFlight: c.resolve(own.inFlight),
    retries: c.resolve(own.retries),
    core: c.resolve(own.core),
    clock: c.resolve(tokens.clock),
    events: c.resolve(own.events),
    options: { ...outbox, queueQoSZero: mqtt.queueQoSZero ?? true },
    dedupIds: outbox.dedupId ? new DedupIds(c.resolve(tokens.random)) : undefined,
    byteLength,
    createGate,
  });
}
