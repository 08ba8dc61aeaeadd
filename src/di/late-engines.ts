/** Makes the engines of a page, whose code is loaded with the first client: the page itself is there sooner. */
import { chunk } from '../chunk.js';
import { LateEngine } from '../client/late-engine.js';
import type { Platform } from '../platform/ports.js';
import type { MakeEngine } from './engine-plan.js';

/** Makes the engines of one page. */
export function lateEngines(platform: Platform): MakeEngine {
  const load = chunk(async () => (await import('./page-engines.js')).pageEngines(platform));
  return (plan, core, events) =>
    new LateEngine({
      load: async () => {
        const make = await load();
        return () => make(plan, core, events);
      },
      core,
      events,
      platform,
      options: plan.options,
    });
}
