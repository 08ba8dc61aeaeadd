/** A source whose code is loaded when it is first asked: a static list does not pay for it (decisions.md 9). */
import type { EndpointSet, Resolver } from './resolver.js';

/**
 * A resolver that `load` makes with the first question.
 *
 * @param refreshJitter - What the loaded one says of itself; see `Resolver.refreshJitter`.
 */
export function lazy(load: () => Promise<Resolver>, refreshJitter?: number): Resolver {
  let made: Promise<Resolver> | undefined;
  const loaded = () => {
    made ??= load();
    // A page that was offline must be able to load it later.
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
  return {
    refreshJitter,
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
    rebootstrap: () => {
      made?.then((resolver) => resolver.rebootstrap?.()).catch(() => {});
    },
  };
}
