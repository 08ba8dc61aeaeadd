/** The process of one aedes broker. Started by `broker.ts`. */
import { type AedesBroker, aedesBroker } from '../../test/support/aedes-cluster.js';
import { serve } from './child.js';

let broker: AedesBroker;

const methods = {
  /** Listens on `port`, or any if it is 0, and returns the port. */
  async listen(port: number): Promise<number> {
    broker = await aedesBroker({ port });
    return broker.port;
  },

  /** Client ids connected now. */
  connected: (_: undefined): string[] => [...broker.connected],

  /** Payloads of the messages that came from `clientId`. */
  payloads(clientId: string): string[] {
    return broker.publishes.filter((publish) => publish.clientId === clientId).map(({ payload }) => payload);
  },
};

export type BrokerMethods = typeof methods;

serve(methods);
