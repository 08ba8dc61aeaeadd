/** Binds MQTT.js's own methods of a client, past those that a subclass has put over them. */
import mqtt, { type MqttClient } from 'mqtt';
import type { MqttCore } from './mqtt-core.js';
import { writePacket } from './mqttjs-internals.js';

const { prototype: own } = mqtt.MqttClient;

/** @param judgesMessages - See {@link MqttCore.judgesMessages}. */
export function bindCore(client: MqttClient, judgesMessages: boolean): MqttCore {
  return {
    options: client.options,
    client,
    judgesMessages,
    connect: () => {
      // Acknowledgements that MQTT.js kept for a connection that is gone mean nothing to the next.
      client.queue.length = 0;
      own.connect.call(client);
    },
    publish: (topic, payload, options, callback) => {
      // The hot path: no closure while nobody drains.
      if (!client.disconnecting)
        own.publish.call(client, topic, payload as Buffer, options, callback as never);
      else
        asIfOpen(client, () =>
          own.publish.call(client, topic, payload as Buffer, options, callback as never),
        );
    },
    subscribe: (topics, options, callback) =>
      asIfOpen(client, () => own.subscribe.call(client, topics, options as never, callback as never)),
    unsubscribe: (topics, options, callback) =>
      asIfOpen(client, () => own.unsubscribe.call(client, topics, options as never, callback as never)),
    revive: () => {
      client.disconnecting = false;
      if (!client.disconnected) return;
      // As in MQTT.js's `reconnect`: `end` closed the store of inbound QoS 2 messages.
      client.incomingStore = new mqtt.Store();
      client.disconnected = false;
    },
    end: (force, options, callback) => {
      // MQTT.js waits for what is in `outgoing`, for ever if the acknowledgement does not come (J8).
      for (const id of Object.keys(client.outgoing)) delete client.outgoing[Number(id)];
      // Set since the application called `end`; MQTT.js's own does nothing when it finds it so.
      client.disconnecting = false;
      own.end.call(client, force, options as never, callback);
    },
    writePacket: (packet) => writePacket(client, packet),
    forget: (id) => {
      delete client.outgoing[id];
      client.messageIdProvider.deallocate(id);
    },
    emit: (event) => own.emit.call(client, event),
    emitError: (error) => own.emit.call(client, 'error', error),
  };
}

/** Calls while the client drains, too, when MQTT.js would refuse what was accepted before. */
function asIfOpen(client: MqttClient, call: () => unknown): void {
  const { disconnecting } = client;
  client.disconnecting = false;
  try {
    call();
  } finally {
    client.disconnecting = disconnecting;
  }
}
