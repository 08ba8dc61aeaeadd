/** What clients in a page are made with. Browsers bound how many WebSockets are opened at once (RFC 6455 §4.1). */
import { countingGate } from '../delivery/gate.js';
import type { Tools } from './parts.js';
import { smallContainer } from './small-container.js';

export const browserTools: Tools = { createContainer: smallContainer, createGate: countingGate };
