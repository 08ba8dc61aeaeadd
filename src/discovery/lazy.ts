/** A source whose code is loaded when it is first asked: a static list does not pay for it (decisions.md 9). */
import { chunk } from '../chunk.js';
import type { EndpointSet, Resolver } from './resolver.js';

/**
 * A resolver that `load` makes with the first question.
 *
 * @param refreshJitter - What the loaded one says of itself, where that is known before; see `Resolver.refreshJitter`.
 */
export function lazy(load: () => Promise<Resolver>, refreshJitter?: number): Resolver {
  let made: Resolver | undefined;
  const loaded = chunk(async () => {
    made = await load();
    return made;
  });
  return {
    get refreshJitter() {
      return made?.refreshJitter ?? refreshJitter;
    },
    resolve: async (signal) => (await loaded()).resolve(signal),
    watch: (
      onChange: (set: EndpointSet) => void,
      onFailure: (error: unknown) => void,
      signal: AbortSignal,
    ) => {
      loaded().then((resolver) => {
        if (!signal.aborted) resolver.watch?.(onChange, onFailure, signal);
      }, onFailure);
    },
    rebootstrap: () => made?.rebootstrap?.(),
  };
}
