/**
 * The library as it is installed: `dist/`, not `src/`.
 *
 * The path is not a literal, so that the type checker, which runs before the build, takes the types from `src/`.
 */
import type * as Library from '../../src/index.js';

const BUILT = new URL('../../dist/index.js', import.meta.url);

/** Everything that `import … from 'mqtt-failover'` offers. */
export const { connect, rank, tokens } = (await import(BUILT.href)) as typeof Library;
