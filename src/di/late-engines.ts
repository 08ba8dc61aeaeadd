/** Makes the engines of a page, whose code is loaded with the first client: the page itself is there sooner. */
import { chunk } from '../chunk.js';
import { LateEngine } from '../client/late-engine.js';
import type { Platform } from '../platform/ports.js';
import type { EnginePlan, MakeEngine } from './engine-plan.js';

/** Makes the engines of one page. */
export function lateEngines(platform: Platform): MakeEngine {
  const loadEngines = chunk(async () => (await import('./page-engines.js')).pageEngines(platform));
  return (plan, core, events) =>
    new LateEngine({
      load: async () => {
        void askForCompanions(plan);
        const make = await loadEngines();
        return () => make(plan, core, events);
      },
      core,
      events,
      platform,
      options: plan.options,
    });
}

/**
 * Asks for what the engine will need at once together with the engine, not after it: that would be another round trip, and the
 * network may be gone by then. What is not there is the affair of those who need it, who ask again.
 */
async function askForCompanions({ brokers, options }: EnginePlan): Promise<void> {
  await Promise.allSettled([
    options.outbox.store !== undefined && import('../delivery/store/index.js'),
    brokers.kind !== 'static' && import('./live-discovery.js'),
  ]);
}
