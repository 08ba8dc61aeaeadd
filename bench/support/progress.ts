/** One line on standard error that says how far a run is; nothing where nobody watches. */
import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';

export class Progress {
  readonly #stream: WriteStream | undefined;
  #prefix = '';

  constructor(stream: WriteStream) {
    this.#stream = stream.isTTY ? stream : undefined;
  }

  /** Begins the lines of a scenario. */
  begin(name: string): void {
    this.#prefix = name;
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
    this.#wipe();
    const line = `${this.#prefix} · ${text}`;
    this.#stream?.write(line.slice(0, (this.#stream.columns || 80) - 1));
  }

  #wipe(): void {
    if (!this.#stream) return;
    cursorTo(this.#stream, 0);
    clearLine(this.#stream, 0);
  }
}
