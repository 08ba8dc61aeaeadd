/** Node's diagnostics channels, one for each name. */
import { type Channel, channel } from 'node:diagnostics_channel';
import type { Diagnostics } from './ports.js';

const PREFIX = 'mqtt-failover:';

const channels = new Map<string, Channel>();

/** Publishes on channel `mqtt-failover:<name>`. */
export const nodeDiagnostics: Diagnostics = {
  publish: (name, message) => {
    let known = channels.get(name);
    if (!known) {
      known = channel(PREFIX + name);
      channels.set(name, known);
    }
    if (known.hasSubscribers) known.publish(message());
  },
};
