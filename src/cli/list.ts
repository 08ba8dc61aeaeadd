/** What a user types for a `<list>` of brokers. */
import type { BrokersInput } from '../brokers/input.js';
import { parseBrokers } from '../brokers/parse.js';
import type { ParsedBrokers } from '../brokers/parsed.js';
import { isFailoverError } from '../errors.js';
import { UsageError } from './usage.js';

/** A list that was read. */
export interface BrokerList {
  /** As `connect` takes it. */
  readonly input: BrokersInput;
  readonly parsed: ParsedBrokers;
}

/** A comma that separates items: the next one begins with a scheme, after an id if it has one. */
const SEPARATOR = /,(?=\s*(?:[^,=/?#]+=)?[a-z][a-z0-9+.-]*:\/\/)/i;
/** `id=url`. A URL may have `=` in its query, but no id has `//` in it. */
const NAMED = /^\s*([^=/]+)=([a-z][a-z0-9+.-]*:\/\/.*)$/is;
const DISCOVERED = /^(?:registry\+https?|[a-z]+\+srv):\/\//i;

/**
 * Reads a `<list>`: any brokers string, or `id=url` items or URLs separated by commas.
 *
 * @param where - The option or operand, for the message.
 * @throws {@link UsageError} that says what is wrong, without user info.
 */
export function readList(text: string, where: string): BrokerList {
  try {
    const input = toInput(text);
    return { input, parsed: parseBrokers(input) };
  } catch (error) {
    if (!isFailoverError(error)) throw error;
    throw new UsageError(error.message.replace(/^Option `brokers((?:\[\d+\])?)[^`]*`/, `${where}$1`));
  }
}

function toInput(text: string): BrokersInput {
  const items = text.split(SEPARATOR).map((item) => {
    const [, id, url] = NAMED.exec(item) ?? [];
    return id === undefined || url === undefined ? { url: item.trim() } : { id: id.trim(), url: url.trim() };
  });
  const discovered = items.filter(({ url }) => DISCOVERED.test(url));
  const misnamed = discovered.find((item) => 'id' in item);
  if (misnamed) {
    throw new UsageError(
      `${JSON.stringify(misnamed.id)} names a whole list: an id stands before one broker's URL`,
    );
  }
  const [only] = items;
  if (items.length === 1 && only && !('id' in only)) return only.url;
  if (discovered.length === 0) return items;
  const fixed = items.filter(({ url }) => !DISCOVERED.test(url));
  const sources: BrokersInput[] = discovered.map(({ url }) => url);
  return { sources: fixed.length === 0 ? sources : [fixed, ...sources], mode: 'union' };
}
