/** The only file that knows tsyringe: one child container per client, factories only, nothing on the global container. */
// First, and as a package of its own: tsyringe refuses to load without it, and bundlers drop a local side-effect file.
import 'reflect-metadata/lite';
import { instancePerContainerCachingFactory, container as root } from 'tsyringe';
import type { PartContainer } from './parts.js';

/** Makes each part once; see {@link PartContainer}. */
export function tsyringeContainer(): PartContainer {
  const child = root.createChildContainer();
  const container: PartContainer = {
    register: (name, make) =>
      child.register(name, { useFactory: instancePerContainerCachingFactory(() => make(container)) }),
    // The symbol carries the type, which tsyringe cannot see.
    resolve: <T>(name: symbol) => child.resolve<T>(name),
  };
  return container;
}
