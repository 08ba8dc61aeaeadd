/** `mqtt-failover` for Node. `browser.ts` has the same names. */
import { type Connect, type ConnectAsync, createConnector } from './connect.js';
import { enginesOf } from './di/container.js';
import { nodeTools } from './di/tools-node.js';
import { nodePlatform } from './platform/node.js';
import * as names from './public.js';

const connector = createConnector({
  platform: nodePlatform,
  makeEngine: enginesOf(nodePlatform, nodeTools),
  defaults: { maxMessages: 10_000, maxBytes: 16 * 1024 * 1024 },
});

export * from './public.js';
/** Connects to one of the brokers, and stays connected to one of them. Returns the client at once. */
export const connect: Connect = connector.connect;
/** As {@link connect}, and resolves when a broker has accepted; rejects when all of them failed. */
export const connectAsync: ConnectAsync = connector.connectAsync;
/** All names of this module, for `import failover from 'mqtt-failover'`. @hidden */
export default /* @__PURE__ */ Object.assign({}, names, { connect, connectAsync });
