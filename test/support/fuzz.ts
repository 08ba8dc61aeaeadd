/**
 * Fuzzing by seed: every parser of outside data is fed with sound inputs that were damaged at random.
 *
 * One round is one seed and nothing else, so a failure is repeated by its seed alone; the message says how. `npm test`
 * lives a few rounds of each; `FUZZ_ROUNDS=1000000` as many as you like, and then time and memory are measured too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isFailoverError } from '../../src/errors.js';
import { SeededRandom } from './seeded-random.js';

const ROUNDS = process.env.FUZZ_ROUNDS === undefined ? undefined : Number(process.env.FUZZ_ROUNDS);
const SEED = process.env.FUZZ_SEED === undefined ? undefined : Number(process.env.FUZZ_SEED);
const USUAL_ROUNDS = 1_000;
/** By hand only: a machine that is busy elsewhere must not fail `npm test`. */
const MEASURED = ROUNDS !== undefined;
const SLOWEST_MS = 100;
const GROWN_MIB = 16;
/** Share of rounds that must be taken, and that must be refused, for the damage to test anything. */
const EITHER = 0.01;

/** What the parser made of the input of one round. */
export type Verdict = 'taken' | 'refused';

/** What is known of one target. */
export interface FuzzOptions {
  /** One round costs as much as so many of the cheapest. @defaultValue 1 */
  readonly cost?: number;
  /** Milliseconds of the processor that a round may take when it is measured. @defaultValue 100 */
  readonly slowestMs?: number;
  /** The parser takes everything, and only how is in question. @defaultValue false */
  readonly refusesNothing?: boolean;
}

/** A test that runs `round` once for each seed; `round` throws when a promise of the parser is broken. */
export function fuzz(
  name: string,
  round: (mutator: Mutator) => Verdict | Promise<Verdict>,
  { cost = 1, slowestMs = SLOWEST_MS, refusesNothing = false }: FuzzOptions = {},
): void {
  test(name, async (t) => {
    const first = SEED ?? 1;
    const rounds = SEED !== undefined && !MEASURED ? 1 : Math.ceil((ROUNDS ?? USUAL_ROUNDS) / cost);
    const counts = { taken: 0, refused: 0 };
    const untouched = prototypes();
    const heapBefore = MEASURED ? settledHeap() : 0;
    let slowest = 0;
    for (let seed = first; seed < first + rounds; seed += 1) {
      const startedAt = cpuMs();
      counts[await play(name, seed, round)] += 1;
      assert.equal(prototypes(), untouched, `seed ${seed} changed a prototype`);
      const took = cpuMs() - startedAt;
      if (!MEASURED || took <= slowest) continue;
      // Garbage is not collected three times in a row.
      const again = [await timed(() => play(name, seed, round)), await timed(() => play(name, seed, round))];
      slowest = Math.max(slowest, Math.min(took, ...again));
      assert.ok(slowest < slowestMs, `seed ${seed} took ${Math.round(slowest)} ms`);
    }
    if (MEASURED) {
      const grownMiB = Math.round((settledHeap() - heapBefore) / 2 ** 20);
      t.diagnostic(
        `${rounds} rounds, ${counts.taken} taken, slowest ${slowest.toFixed(1)} ms, heap +${grownMiB} MiB`,
      );
      assert.ok(grownMiB < GROWN_MIB, `the heap grew by ${grownMiB} MiB`);
    }
    if (rounds < 1 / EITHER) return;
    const least = rounds * EITHER;
    assert.ok(counts.taken >= least, `${counts.taken} of ${rounds} taken: too much damage to test anything`);
    assert.ok(
      refusesNothing || counts.refused >= least,
      `${counts.refused} of ${rounds} refused: too little`,
    );
  });
}

async function play(
  name: string,
  seed: number,
  round: (mutator: Mutator) => Verdict | Promise<Verdict>,
): Promise<Verdict> {
  const mutator = new Mutator(seed);
  try {
    return await round(mutator);
  } catch (error) {
    const repeat = `FUZZ_SEED=${seed} npm test -- fuzz --test-name-pattern="${name}"`;
    const shown = mutator.inputs.map((input) => `\n  input: ${show(input)}`).join('');
    throw new Error(`${(error as Error).message}\n  repeat: ${repeat}${shown}`, { cause: error });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = cpuMs();
  await work();
  return cpuMs() - startedAt;
}

/** Milliseconds of the processor that this process has had: what others do on the machine does not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

const PROTOTYPES = [Object, Array, Function, String, Map, Uint8Array, Error, Promise].map(
  (each) => each.prototype as object,
);

/** Names of everything that the prototypes of all values have. */
function prototypes(): string {
  return PROTOTYPES.map((each) => Object.getOwnPropertyNames(each).length).join();
}

function settledHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

/** Characters of an input that a failure shows. */
const SHOWN = 2_000;

function show(input: unknown): string {
  if (input instanceof Uint8Array) return Buffer.from(input).toString('hex').slice(0, SHOWN);
  return (typeof input === 'string' ? JSON.stringify(input) : inspectable(input)).slice(0, SHOWN);
}

function inspectable(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** Characters that the message of an error may have. */
export const MESSAGE_LENGTH = 1_000;

/** `act` gives its result, or fails as a parser may: with an error that says what is wrong in a few words. */
export async function refusable(
  act: () => unknown,
  isMeant: (error: unknown) => boolean = isPlain,
): Promise<Verdict> {
  try {
    await act();
    return 'taken';
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(isMeant(error), `this was not meant: ${(error as Error)?.stack ?? error}`);
    assert.ok((error as Error).message.length < MESSAGE_LENGTH, `a message of ${String(error).length}`);
    return 'refused';
  }
}

/** An error that somebody wrote, and no accident of the language. */
function isPlain(error: unknown): boolean {
  const accidents = [TypeError, RangeError, SyntaxError, ReferenceError];
  return error instanceof Error && !accidents.some((accident) => error instanceof accident);
}

/** A mistake of the user's, told as such. */
export const isOptionError = (error: unknown) => isFailoverError(error) && error.code === 'ERR_OPTION';

/** Whether a message does not quote a `canary` of `text` that stands in the query or the user info of a URL. */
export function keepsSecret(text: string, { message }: Error): boolean {
  const [start, ...urls] = text.split('://');
  const open = urls.map((url) => url.slice(url.lastIndexOf('@') + 1).replace(/\?[^\s#"']*/, ''));
  const isSecret = text.includes('canary') && ![start, ...open].some((part) => part?.includes('canary'));
  return !isSecret || !message.includes('canary');
}

/** What outside data is made of when somebody means harm, or a machine has failed. */
const TOKENS: readonly string[] = [
  ...['null', '{}', '[]', 'true', '-1', '0', '1e999', '1e-999', '9007199254740993', '"x"', '""'],
  ...['"__proto__"', '{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}'],
  ...[',', '"', '\\', ':', '/', '@', '?', '#', '%', '%00', '%zz', '[', ']', '[::1]', '=', ' ', '\t', '..'],
  ...['\u0000', '\n', '\r\n', '\r\n\r\n', '\ufeff', '\ud800', '\u202e', '\u3002', 'ß', '😀', '\u0130'],
  ...['127.0.0.1', '169.254.169.254', 'localhost', 'evil.test', 'xn--', '0x7f.1', '::', '65536', '-'],
];

const VALUES: readonly (() => unknown)[] = [
  () => null,
  () => undefined,
  () => true,
  () => 0,
  () => -1,
  () => 1.5,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 2 ** 53,
  () => '',
  () => 'x',
  () => '__proto__',
  () => 'x'.repeat(70_000),
  () => [],
  () => [[]],
  () => ({}),
  () => ({ length: 1e9 }),
  () => new Uint8Array(3),
  () => JSON.parse('{"__proto__":{"polluted":1}}'),
];

/** Damages what it is given. The same seed does the same; what it gave out is remembered for the report. */
export class Mutator {
  /** What this round was fed with. */
  readonly inputs: unknown[] = [];
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** From 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  chance(share: number): boolean {
    return this.#random.next() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** One of `samples`, damaged: text of any format, with a liking for JSON. One in sixteen is left as it is. */
  text(samples: readonly string[], tokens: readonly string[] = TOKENS): string {
    let text = this.pick(samples);
    if (this.chance(15 / 16)) {
      for (let edits = this.below(4); edits >= 0; edits -= 1) text = this.#edit(text, samples, tokens);
    }
    this.inputs.push(text);
    return text;
  }

  /** One of `samples`, with bytes changed, left out, put in, or doubled. One in sixteen is left as it is. */
  bytes(samples: readonly Uint8Array[]): Uint8Array {
    let bytes = Uint8Array.from(this.pick(samples));
    if (this.chance(15 / 16)) {
      for (let edits = this.below(6); edits >= 0; edits -= 1) bytes = this.#damage(bytes, samples);
    }
    this.inputs.push(bytes);
    return bytes;
  }

  /** A deep copy of one of `samples`, in which values anywhere are others, or are missing. */
  value<T>(samples: readonly T[]): unknown {
    let value: unknown = structuredClone(this.pick(samples));
    if (this.chance(15 / 16)) {
      for (let edits = this.below(3); edits >= 0; edits -= 1) value = this.#replace(value);
    }
    this.inputs.push(value);
    return value;
  }

  /** `bytes` in pieces, cut anywhere; a few hundred at most. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + this.below(pieces.length < 200 && this.chance(0.5) ? 4 : bytes.length);
      pieces.push(bytes.slice(at, end));
      at = end;
    }
    return pieces;
  }

  #edit(text: string, samples: readonly string[], tokens: readonly string[]): string {
    const at = this.below(text.length + 1);
    const end = Math.min(text.length, at + this.below(8));
    const token = this.pick(tokens);
    const how = this.below(16);
    if (how < 6) return this.#otherValue(text, at, token);
    if (how < 10) return text.slice(0, at) + token + text.slice(this.chance(0.5) ? at : end);
    if (how < 12) return text.slice(0, at) + text.slice(end);
    if (how === 12) return text.slice(0, at);
    if (how === 13) return text.slice(0, end) + text.slice(at);
    if (how === 14)
      return text.slice(0, at) + text.slice(at, end).repeat(this.pick([2, 50, 5_000])) + text.slice(end);
    const other = this.pick(samples);
    return text.slice(0, at) + other.slice(this.below(other.length + 1));
  }

  /** A token in the place of a value of JSON, so that it stays JSON. */
  #otherValue(text: string, at: number, token: string): string {
    const colon = text.lastIndexOf(':', at);
    const end = text.slice(at).search(/[,}\]]/);
    if (colon < 0 || end < 0) return text.slice(0, at) + token + text.slice(at + 1);
    return text.slice(0, colon + 1) + token + text.slice(at + end);
  }

  #damage(bytes: Uint8Array, samples: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const at = this.below(bytes.length);
    const how = this.below(16);
    const changed = Uint8Array.from(bytes);
    if (bytes.length === 0 || how < 6) {
      // Length fields and pointers are where parsers go wrong.
      changed[at] = this.chance(0.3) ? this.pick([0, 1, 0x7f, 0x80, 0xc0, 0xff]) : this.below(256);
    } else if (how < 10) changed[at] = (changed[at] as number) ^ (1 << this.below(8));
    else if (how === 10) return changed.slice(0, at);
    else if (how === 11) return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + this.below(4)));
    else if (how === 12) {
      const few = Uint8Array.from({ length: 1 + this.below(4) }, () => this.below(256));
      return joined(bytes.subarray(0, at), few, bytes.subarray(at));
    } else if (how === 13) return joined(bytes.subarray(0, at), bytes.subarray(this.below(at + 1)));
    else if (how === 14) {
      const other = this.pick(samples);
      return joined(bytes.subarray(0, at), other.subarray(this.below(other.length + 1)));
    } else changed.fill(this.below(256), at, at + 1 + this.below(8));
    return changed;
  }

  #replace(value: unknown): unknown {
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    if (keys.length === 0 || value instanceof Uint8Array || this.chance(0.2)) return this.pick(VALUES)();
    const key = this.pick(keys);
    const holder = value as Record<string, unknown>;
    const how = this.below(8);
    if (how === 0) delete holder[key];
    else if (how === 1 && Array.isArray(value)) value.push(this.pick(VALUES)());
    else holder[key] = this.#replace(holder[key]);
    return value;
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}
