/** What a benchmark is to the command line: a name, a run, and a result that can be printed and kept. */
import type { Progress } from './progress.js';

/** How the command line asks for a scenario to be run. */
export interface RunContext {
  readonly rounds: number;
  /** A look at whether it works: fewer and smaller rounds, numbers of no worth. */
  readonly quick: boolean;
  /** Whether others are measured beside ours where they need minutes. */
  readonly peers: boolean;
  /** Where child processes that are measured leave CPU profiles; they leave none when it is undefined. */
  readonly profileDirectory: string | undefined;
  readonly progress: Progress;
}

/** Every sample of one thing that was measured, in the order of the rounds. */
export interface Series {
  /** Who or what was measured. */
  readonly name: string;
  /** What of it, where there are several things of several contestants. */
  readonly group?: string;
  readonly unit: string;
  /** Infinity is what did not come within the cap. */
  readonly samples: readonly number[];
  /** How long was waited, in milliseconds. */
  readonly capMs?: number;
}

/** A table to print; the first column names the row. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Something that was promised, and what came of it. */
export interface Target {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
}

export interface ScenarioResult {
  readonly series: readonly Series[];
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** What a reader of the tables must know. */
  readonly notes: readonly string[];
  /** Wrong behaviour seen while measuring, such as a lost message; any makes the command fail. */
  readonly faults: readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** One line for `--list`. */
  readonly about: string;
  readonly rounds: number;
  readonly quickRounds: number;
  run(context: RunContext): Promise<ScenarioResult>;
}
