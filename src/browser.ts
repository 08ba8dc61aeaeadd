/** `mqtt-failover` for browsers. `index.ts` has the same names. */
import { createConnector } from './connect.js';
import { browserTools } from './di/tools-browser.js';
import { browserPlatform } from './platform/browser.js';
import * as names from './public.js';

const connector = createConnector({
  platform: browserPlatform,
  tools: browserTools,
  defaults: { lastKnownGood: 'mqtt-failover', maxMessages: 1_000, maxBytes: 1024 * 1024 },
});

export * from './public.js';
export const connect = connector.connect;
export const connectAsync = connector.connectAsync;
export default { ...names, connect, connectAsync };
