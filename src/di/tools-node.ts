/** What clients in Node are made with: packages, and a budget for the many clients that one process may have. */
import { queueGate } from '../delivery/queue-gate.js';
import { DialBudget } from '../dial/dial-budget.js';
import type { Tools } from './parts.js';
import { tsyringeContainer } from './tsyringe-container.js';

export const nodeTools: Tools = {
  createContainer: tsyringeContainer,
  createGate: queueGate,
  dialBudget: new DialBudget(),
};
