/** The time from `end()` until the client has ended. */

/** Who waits for the end, and what the application wants after it. */
export class Ending {
  #callbacks: ((error?: Error) => void)[] | undefined;
  #resume: (() => void) | undefined;

  get isUnderWay(): boolean {
    return this.#callbacks !== undefined;
  }

  /** Whether the client is to connect again once it has ended. */
  get isResumed(): boolean {
    return this.#resume !== undefined;
  }

  /** Whether the end begins with this call of `end()`; else `callback` waits for the one that is under way. */
  begins(callback: (error?: Error) => void): boolean {
    if (this.#callbacks) {
      this.#callbacks.push(callback);
      return false;
    }
    this.#callbacks = [callback];
    return true;
  }

  /** Does `resume` after the end, instead of what was to be done before. */
  resumeWith(resume: () => void): void {
    this.#resume = resume;
  }

  /** The application called `end` again: what it asked for in between is void. */
  stay(): void {
    this.#resume = undefined;
  }

  /** The client has ended. */
  over(error?: Error): void {
    const callbacks = this.#callbacks ?? [];
    const resume = this.#resume;
    this.#callbacks = undefined;
    this.#resume = undefined;
    for (const each of callbacks) each(error);
    resume?.();
  }
}
