/** How many messages of the outbox are sent at once. */

/** Lets a bounded number of tasks run; for one caller, who waits for room before each. */
export interface Gate {
  /** Resolves when a task would run at once. */
  room(): Promise<unknown>;
  /** Runs a task, which never rejects. */
  pass(task: () => Promise<void>): void;
}

/** Makes a gate through which `concurrency` tasks fit. */
export type CreateGate = (concurrency: number) => Gate;

/** A gate that counts, for pages. */
export const countingGate: CreateGate = (concurrency) => {
  let running = 0;
  let onRoom = () => {};
  return {
    room: async () => {
      while (running >= concurrency) {
        await new Promise<void>((resolve) => {
          onRoom = resolve;
        });
      }
    },
    pass: (task) => {
      running += 1;
      void task().then(() => {
        running -= 1;
        onRoom();
      });
    },
  };
};
