/** `mqtt-failover` for Node. `browser.ts` has the same names. */
import { createConnector } from './connect.js';
import { nodeTools } from './di/tools-node.js';
import { nodePlatform } from './platform/node.js';
import * as names from './public.js';

const connector = createConnector({
  platform: nodePlatform,
  tools: nodeTools,
  defaults: { maxMessages: 10_000, maxBytes: 16 * 1024 * 1024 },
});

export * from './public.js';
export const connect = connector.connect;
export const connectAsync = connector.connectAsync;
export default { ...names, connect, connectAsync };
