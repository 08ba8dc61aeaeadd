/** Shows the story: as a live table on a terminal, as a line per event elsewhere. */
import { createLogUpdate } from 'log-update';
import type { Palette } from './paint.js';
import type { News, Stage } from './stage.js';
import { frame, newsLine } from './table.js';

const FRAME_MS = 100;
/** Milliseconds between two samples of the message rates, and over how many of them a rate is taken. */
const SAMPLE_MS = 250;
const SAMPLES = 4;
const HISTORY = 60;

export interface Screen {
  news(item: News): void;
  /** Shows `stage` from now on. */
  open(stage: Stage): void;
  /** Leaves the last picture where it is. */
  close(): void;
}

export function createScreen(output: NodeJS.WriteStream, paint: Palette): Screen {
  return output.isTTY && process.env.TERM !== 'dumb'
    ? new LiveScreen(output, paint)
    : new PlainScreen(output, paint);
}

class PlainScreen implements Screen {
  readonly #output: NodeJS.WriteStream;
  readonly #paint: Palette;

  constructor(output: NodeJS.WriteStream, paint: Palette) {
    this.#output = output;
    this.#paint = paint;
  }

  news(item: News): void {
    this.#output.write(`${newsLine(item, this.#paint)}\n`);
  }

  open(): void {}

  close(): void {}
}

class LiveScreen implements Screen {
  readonly #output: NodeJS.WriteStream;
  readonly #paint: Palette;
  readonly #log: ReturnType<typeof createLogUpdate>;
  readonly #rates = new Map<string, number[]>();
  readonly #totals = new Map<string, number[]>();
  #timers: NodeJS.Timeout[] = [];
  #stage: Stage | undefined;

  constructor(output: NodeJS.WriteStream, paint: Palette) {
    this.#output = output;
    this.#paint = paint;
    this.#log = createLogUpdate(output);
  }

  /** The ticker of the next frame has it. */
  news(): void {}

  open(stage: Stage): void {
    this.#stage = stage;
    this.#timers = [
      setInterval(() => this.#draw(), FRAME_MS),
      setInterval(() => this.#sample(stage), SAMPLE_MS),
    ];
    this.#draw();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#draw();
    this.#log.done();
  }

  #draw(): void {
    if (this.#stage) this.#log(frame(this.#stage, this.#rates, this.#output, this.#paint));
  }

  #sample({ cluster }: Stage): void {
    for (const { name, received } of cluster.nodes) {
      const totals = [...(this.#totals.get(name) ?? [received]), received].slice(-SAMPLES - 1);
      const seconds = ((totals.length - 1) * SAMPLE_MS) / 1_000;
      const rate = (received - (totals[0] as number)) / seconds;
      this.#totals.set(name, totals);
      this.#rates.set(name, [...(this.#rates.get(name) ?? []), rate].slice(-HISTORY));
    }
  }
}
