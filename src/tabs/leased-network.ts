/** A network that only the leader may use, for the moment that it dials. */
import { FailoverError } from '../errors.js';
import type { HeldLock } from '../platform/page.js';
import type { Network } from '../platform/ports.js';

/**
 * Dials with `network` while `lock` is held. A leader that was frozen may have been robbed and not know it yet: it must
 * not send a CONNECT beside that of the new leader (R82).
 */
export function leasedNetwork(network: Network, lock: Pick<HeldLock, 'isHeld'>): Network {
  const { schemes } = network;
  return {
    schemes,
    ...(network.resolve ? { resolve: network.resolve.bind(network) } : {}),
    open: async (target, signal, address) => {
      if (!(await lock.isHeld())) throw robbed();
      const transport = await network.open(target, signal, address);
      if (await lock.isHeld()) return transport;
      transport.destroy();
      throw robbed();
    },
  };
}

function robbed(): FailoverError {
  return new FailoverError('ERR_LINK', 'Another tab has taken over the connection', { retryable: true });
}
