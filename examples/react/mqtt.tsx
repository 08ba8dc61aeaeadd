/** MQTT in React: one client for the page, its status, and the newest message of a topic. Copy this file. */
import {
  type BrokersInput,
  type ClientStatus,
  connect,
  type FailoverClient,
  type FailoverOptions,
} from 'mqtt-failover';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';

const MqttContext = createContext<FailoverClient | null>(null);

export interface MqttProviderProps {
  /** As for `connect`. A new array or object means a new client: keep it outside of the component, or in `useMemo`. */
  readonly brokers: BrokersInput;
  /** The same. */
  readonly options?: FailoverOptions;
  readonly children: ReactNode;
}

/** Connects while it is mounted. */
export function MqttProvider({ brokers, options, children }: MqttProviderProps) {
  const [client, setClient] = useState<FailoverClient | null>(null);
  useEffect(() => {
    const connecting = connect(brokers, options);
    setClient(connecting);
    return () => {
      setClient(null);
      connecting.end();
    };
  }, [brokers, options]);
  return <MqttContext value={client}>{children}</MqttContext>;
}

/** The client, or `null` before the first effect. Publish with it whenever you like: what cannot be sent waits. */
export function useMqtt(): FailoverClient | null {
  return useContext(MqttContext);
}

/** The client's status, as of the last change of its state or of a broker's health. */
export function useMqttStatus(): ClientStatus | null {
  const client = useMqtt();
  const [status, setStatus] = useState<ClientStatus | null>(null);
  useEffect(() => {
    if (!client) return;
    const update = () => setStatus(client.status());
    update();
    client.on('state', update).on('health', update).on('topology', update);
    return () => {
      client.off('state', update).off('health', update).off('topology', update);
    };
  }, [client]);
  return status;
}

/** The newest message of a topic, subscribed to while the component is there. The client restores it on every broker. */
export function useTopic(topic: string): string | null {
  const client = useMqtt();
  const [message, setMessage] = useState<string | null>(null);
  useEffect(() => {
    if (!client) return;
    const listen = (from: string, payload: Uint8Array) => {
      if (from === topic) setMessage(new TextDecoder().decode(payload));
    };
    client.on('message', listen);
    client.subscribe(topic, { qos: 1 });
    return () => {
      client.off('message', listen);
      client.unsubscribe(topic);
    };
  }, [client, topic]);
  return message;
}
