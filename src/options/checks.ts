/** What the value of an option must be, in words and as a test. */
import { FailoverError, optionError } from '../errors.js';

/**
 * Refuses a value.
 *
 * @throws {@link FailoverError} `ERR_OPTION` naming the option, what was expected and what came.
 */
export type Check = (value: unknown, option: string) => void;

/** The check of each option in a group; a value that is `undefined` is not given, and not checked. */
export type Checks = Readonly<Record<string, Check>>;

/** A value that `fits`, which `expected` says in words. */
export function must(expected: string, fits: (value: unknown) => boolean): Check {
  return (value, option) => {
    if (!fits(value)) throw optionError(option, expected, value);
  };
}

/** Milliseconds, `min` at least. */
export function ms(min: number): Check {
  return must(`a number of milliseconds >= ${min}`, (value) => isNumber(value) && value >= min);
}

/** A whole number, `min` at least. */
export function count(min: number): Check {
  return must(`an integer >= ${min}`, (value) => Number.isInteger(value) && (value as number) >= min);
}

/** One of these words. */
export function oneOf(...names: readonly string[]): Check {
  const expected = names.map((name) => `'${name}'`).join(' or ');
  return must(expected, (value) => names.includes(value as string));
}

export const flag: Check = must('true or false', (value) => typeof value === 'boolean');

export const aFunction: Check = must('a function', (value) => typeof value === 'function');

/** A list of strings with something in it. */
export function texts(expected: string): Check {
  return (value, option) => {
    if (!Array.isArray(value)) throw optionError(option, expected, value);
    if (value.length === 0) throw optionError(option, `${expected}, not an empty one`, value);
    for (const [index, item] of value.entries()) {
      if (typeof item !== 'string') throw optionError(`${option}.${index}`, 'a string', item);
    }
  };
}

/** An object with these options and no others: an unknown key is a mistake, too. */
export function group(checks: Checks): Check {
  return (value, option) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw optionError(option, 'an object', value);
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      const known = Object.hasOwn(checks, key) ? checks[key] : undefined;
      if (!known) {
        const keys = Object.keys(checks).join(', ');
        throw new FailoverError('ERR_OPTION', `Option \`${option}.${key}\` is unknown; known here: ${keys}`);
      }
      known(item, `${option}.${key}`);
    }
  };
}

/** A finite number. */
export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** A string with something in it. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** An object, of a class or not, with functions of these names. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function');
}
