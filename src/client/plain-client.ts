/** Makes clients of one broker without our options. */
import mqtt from 'mqtt';
import { streamBuilderOf } from '../mqtt/mqttjs-internals.js';
import { checkClientId } from '../options/mqtt-options.js';
import type { FailoverOptions } from '../options/options.js';
import { FailoverClient } from './client.js';

/** A client that is MQTT.js to the letter: its URL parsing, its transports, its timing, its options object. */
export function plainClient(
  url: string | undefined,
  options: FailoverOptions,
  second: FailoverOptions | undefined,
): FailoverClient {
  checkClientId(options.clientId, true);
  const own = Object.hasOwn(options, 'manualConnect');
  const { manualConnect } = options;
  // MQTT.js uses the caller's object as it is when there is no URL; so does this, for the moment of the call.
  const given =
    url === undefined ? Object.assign(options, { manualConnect: true }) : { ...second, manualConnect: true };
  const template = url === undefined ? mqtt.connect(given) : mqtt.connect(url.trim(), given);
  const { options: built } = template;
  const client = new FailoverClient({ options: built, streamBuilder: streamBuilderOf(template) });
  if (own) built.manualConnect = manualConnect as boolean;
  else delete built.manualConnect;
  return client;
}
