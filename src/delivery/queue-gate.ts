/** The gate of Node: a p-queue, which holds back but stores nothing. */
import PQueue from 'p-queue';
import type { CreateGate } from './gate.js';

export const queueGate: CreateGate = (concurrency) => {
  const queue = new PQueue({ concurrency });
  return {
    room: () => queue.onSizeLessThan(1),
    pass: (task) => void queue.add(task),
  };
};
