/** The container of a client in a page: what tsyringe does for the others, and no more of it than is used. */
import type { Make, PartContainer } from './parts.js';

/** Makes each part once; see {@link PartContainer}. */
export function smallContainer(): PartContainer {
  const makers = new Map<symbol, Make<unknown>>();
  const container: PartContainer = {
    register: (name, make) => {
      let made: { readonly part: ReturnType<typeof make> } | undefined;
      makers.set(name, (parts) => {
        made ??= { part: make(parts) };
        return made.part;
      });
    },
    resolve: <T>(name: symbol) => {
      const make = makers.get(name);
      if (!make) throw new Error(`There is no part ${String(name)}`);
      return make(container) as T;
    },
  };
  return container;
}
