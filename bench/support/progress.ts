/** Says on standard error how far a run is: one line that changes on a terminal, a line now and then elsewhere. */
import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';

/** Milliseconds between two lines where lines stay. */
const EVERY_MS = 10_000;

export class Progress {
  readonly #stream: WriteStream;
  #prefix = '';
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  /** Begins the lines of a scenario. */
  begin(name: string): void {
    this.#prefix = name;
    this.#saidAt = Number.NEGATIVE_INFINITY;
    this.#show('starting');
  }

  /** Says that `round` (counted from 0) of `rounds` is under way. */
  round(round: number, rounds: number, detail = ''): void {
    this.#show(`round ${round + 1}/${rounds}${detail === '' ? '' : ` · ${detail}`}`);
  }

  /** Says what is waited for outside of any round. */
  waiting(detail: string): void {
    this.#show(detail);
  }

  /** Takes the line away. */
  end(): void {
    this.#wipe();
  }

  #show(text: string): void {
    const line = `${this.#prefix} · ${text}`;
    if (this.#stream.isTTY) {
      this.#wipe();
      this.#stream.write(line.slice(0, (this.#stream.columns || 80) - 1));
    } else if (performance.now() - this.#saidAt >= EVERY_MS) {
      this.#saidAt = performance.now();
      this.#stream.write(`${line}\n`);
    }
  }

  #wipe(): void {
    if (!this.#stream.isTTY) return;
    cursorTo(this.#stream, 0);
    clearLine(this.#stream, 0);
  }
}
