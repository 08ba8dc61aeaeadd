/** Reads `brokers` in any of its forms. Pure: no I/O. */
import type { Resolver } from '../discovery/resolver.js';
import { optionError } from '../errors.js';
import type { BrokerContext, BrokerFunction, BrokerSources, BrokersInput } from './input.js';
import { parseBrokerList, parseBrokerUrl } from './list.js';
import type { ParsedBrokers } from './parsed.js';
import { parseSrvUrl } from './srv-url.js';
import { urlForm } from './url.js';

/**
 * Reads `brokers` in any of its forms. Pure: nothing is resolved, and nothing is dialed.
 *
 * @returns the form, with every default filled in.
 * @throws {@link FailoverError} `ERR_OPTION` naming what is wrong: no brokers, an unknown scheme, mixed user info,
 * duplicate ids, a weight that is not a number, …
 */
export function parseBrokers(input: BrokersInput, context: BrokerContext = {}): ParsedBrokers {
  return parse(input, 'brokers', context);
}

function parse(input: unknown, option: string, context: BrokerContext): ParsedBrokers {
  if (typeof input === 'string') return parseText(input, option, context);
  if (Array.isArray(input)) return { kind: 'static', endpoints: parseBrokerList(input, option, context) };
  if (typeof input === 'function') return { kind: 'function', resolve: input as BrokerFunction };
  if (typeof input === 'object' && input !== null) {
    if ('resolve' in input && typeof input.resolve === 'function')
      return { kind: 'resolver', resolver: input as Resolver };
    if ('sources' in input) return parseSources(input as BrokerSources, option, context);
    if ('url' in input || 'host' in input)
      return { kind: 'static', endpoints: parseBrokerList([input], option, context) };
  }
  throw optionError(option, 'a URL, an array of brokers, a function, a resolver or { sources }', input);
}

function parseSources(input: BrokerSources, option: string, context: BrokerContext): ParsedBrokers {
  const { sources, mode = 'fallback' } = input;
  if (!Array.isArray(sources) || sources.length === 0) {
    throw optionError(`${option}.sources`, 'an array with at least one source', sources);
  }
  if (mode !== 'fallback' && mode !== 'union')
    throw optionError(`${option}.mode`, "'fallback' or 'union'", mode);
  return {
    kind: 'composite',
    mode,
    sources: sources.map((s, i) => parse(s, `${option}.sources[${i}]`, context)),
  };
}

function parseText(text: string, option: string, context: BrokerContext): ParsedBrokers {
  const trimmed = text.trim();
  if (trimmed === '') throw optionError(option, 'at least one broker URL', text);
  const form = urlForm(trimmed);
  if (form?.scheme.toLowerCase() === 'registry' && /^\+https?$/.test(form.suffix))
    return { kind: 'registry', url: trimmed.slice('registry+'.length) };
  if (form?.suffix === '+srv') return parseSrvUrl(form, option, text);
  return { kind: 'static', endpoints: parseBrokerUrl(trimmed, option, context) };
}
