/** Who is compared: a client library, and the way it takes to the brokers. */

export type Library = 'mqtt-failover' | 'mqtt' | 'paho';
export type Route = 'direct' | 'haproxy' | 'haproxy-500' | 'nginx';

export interface Contestant {
  readonly name: string;
  readonly library: Library;
  readonly route: Route;
  /** Options of our client, other than its defaults. */
  readonly options?: object;
}

export const OURS: Contestant = { name: 'mqtt-failover', library: 'mqtt-failover', route: 'direct' };
export const MQTTJS: Contestant = { name: 'MQTT.js, servers', library: 'mqtt', route: 'direct' };
export const HAPROXY: Contestant = { name: 'MQTT.js, HAProxy', library: 'mqtt', route: 'haproxy' };
export const HAPROXY_500: Contestant = {
  name: 'MQTT.js, HAProxy 500 ms',
  library: 'mqtt',
  route: 'haproxy-500',
};
export const NGINX: Contestant = { name: 'MQTT.js, nginx', library: 'mqtt', route: 'nginx' };
export const PAHO: Contestant = { name: 'Paho, hosts', library: 'paho', route: 'direct' };

export const CONTESTANTS: readonly Contestant[] = [OURS, MQTTJS, HAPROXY, HAPROXY_500, NGINX, PAHO];

/** Ours without the spread that it gives a first attempt; it matters where a broker's death is told at once. */
export const AT_ONCE: Contestant = {
  ...OURS,
  name: 'mqtt-failover, spreadMs: 0',
  options: { backoff: { spreadMs: 0 } },
};
