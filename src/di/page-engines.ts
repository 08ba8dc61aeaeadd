/** The code of a page's engines. Browsers bound how many WebSockets are opened at once (RFC 6455 §4.1). */
import { countingGate } from '../delivery/gate.js';
import type { Platform } from '../platform/ports.js';
import { enginesOf } from './container.js';
import type { MakeEngine } from './engine-plan.js';
import { smallContainer } from './small-container.js';

/** Makes the engines of one page. */
export function pageEngines(platform: Platform): MakeEngine {
  return enginesOf(platform, { createContainer: smallContainer, createGate: countingGate });
}
