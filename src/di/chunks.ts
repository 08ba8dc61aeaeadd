/** The code that clients load when they have a use for it; see ARCHITECTURE.md. */
import { chunk } from '../chunk.js';

export const loadDiscovery = chunk(() => import('./live-discovery.js'));
export const loadMoves = chunk(() => import('./planned-moves.js'));
export const loadStore = chunk(() => import('../delivery/store/index.js'));
