/** Where a command writes, and how it learns that it is to end. The one place of the command line that touches streams. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Platform } from '../platform/ports.js';

/** Colours and weights that tables and notes use. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** ECMA-48 SGR. Not `util.styleText`: some versions of Node decide by the process's own stdout whether they colour. */
const CODES: Readonly<Record<Style, string>> = {
  bold: '\u001b[1m',
  dim: '\u001b[2m',
  red: '\u001b[31m',
  green: '\u001b[32m',
  yellow: '\u001b[33m',
};

/** What a {@link Terminal} is made of. */
export interface TerminalInit {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: Platform;
  /** Aborted by SIGINT, and when nobody reads stdout any more. */
  readonly signal: AbortSignal;
}

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 200;

/** The outside world of a command: output, input, environment, time and network. */
export class Terminal {
  readonly stdin: Readable;
  readonly env: TerminalInit['env'];
  readonly platform: Platform;
  readonly signal: AbortSignal;
  /** Set with `--json`: then stdout carries JSON only, and progress is not shown. */
  quiet = false;
  readonly #stdout: TerminalInit['stdout'];
  readonly #stderr: TerminalInit['stderr'];
  #progressAt = Number.NEGATIVE_INFINITY;
  #progressShown = false;

  constructor({ stdin, stdout, stderr, env, platform, signal }: TerminalInit) {
    this.stdin = stdin;
    this.env = env;
    this.platform = platform;
    this.signal = signal;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Whether a person looks at stdout. */
  get isInteractive(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** Writes a line to stdout; resolves when there is room for more. */
  async print(line: string): Promise<void> {
    this.#clearProgress();
    if (this.#stdout.write(`${line}\n`) || this.signal.aborted) return;
    await once(this.#stdout, 'drain', { signal: this.signal }).catch(() => {});
  }

  /** Writes one JSON document to stdout. */
  async json(document: unknown): Promise<void> {
    await this.print(JSON.stringify(document));
  }

  /** Writes a line to stderr: for people, beside the answer. */
  note(line: string): void {
    this.#clearProgress();
    this.#stderr.write(`${line}\n`);
  }

  /** Shows how far long work is; only to a person, and the last one only. */
  progress(text: () => string): void {
    if (this.quiet || this.#stderr.isTTY !== true) return;
    const now = this.platform.clock.now();
    if (now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    this.#progressShown = true;
    this.#stderr.write(`\r\u001b[K${text().slice(0, (this.#stderr.columns || 80) - 1)}`);
  }

  /** `text` in a style, where colours are wanted: on a terminal, and without NO_COLOR (no-color.org). */
  paint(style: Style, text: string): string {
    const isPlain = !this.isInteractive || (this.env.NO_COLOR ?? '') !== '' || this.env.TERM === 'dumb';
    return isPlain ? text : `${CODES[style]}${text}\u001b[0m`;
  }

  #clearProgress(): void {
    if (!this.#progressShown) return;
    this.#progressShown = false;
    this.#stderr.write('\r\u001b[K');
  }
}

/** Text of outside origin, safe to show: control characters could steer the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
