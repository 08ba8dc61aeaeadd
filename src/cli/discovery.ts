/** What the commands share that look for brokers: the options, and the library's own parts built from them. */
import { readFile } from 'node:fs/promises';
import type { ParsedBrokers } from '../brokers/parsed.js';
import { authorisationOf, resolverDeps } from '../di/live-discovery.js';
import type { Authorisation } from '../discovery/authorisation.js';
import { createResolver } from '../discovery/create-resolver.js';
import type { Resolver } from '../discovery/resolver.js';
import type { Endpoint } from '../endpoint.js';
import { isFailoverError } from '../errors.js';
import type { FailoverOptions } from '../options/options.js';
import { resolveOptions } from '../options/resolve.js';
import type { ResolvedOptions } from '../options/resolved.js';
import type { Platform } from '../platform/ports.js';
import type { Arguments } from './arguments.js';
import type { OptionSpecs } from './command.js';
import type { Terminal } from './terminal.js';
import { quoted, UsageError } from './usage.js';

/** How brokers are found. */
export const DISCOVERY_OPTIONS: OptionSpecs = {
  dns: { type: 'string', multiple: true, value: '<host:port>', help: 'DNS server to ask for SRV records' },
  doh: { type: 'string', value: '<url>', help: 'DNS-over-HTTPS server to ask instead' },
  'allow-host': {
    type: 'string',
    multiple: true,
    value: '<host>',
    help: 'host that DNS or a registry may name: exact, or *.example.com',
  },
  'allow-insecure': { type: 'boolean', help: 'plain HTTP to a registry, and the plain schemes it names' },
};

/** Who we are to a broker. */
export const SESSION_OPTIONS: OptionSpecs = {
  username: {
    type: 'string',
    value: '<name>',
    help: 'user name; the password comes best from MQTT_PASSWORD',
  },
  password: { type: 'string', value: '<password>', help: 'password; others on this machine can see it' },
  ca: {
    type: 'string',
    value: '<file>',
    help: 'PEM file of authorities to trust, in place of the usual ones',
  },
  'protocol-version': { type: 'string', value: '<4|5>', help: 'MQTT 3.1.1 or MQTT 5' },
};

/** The options of `connect` for what was given of {@link DISCOVERY_OPTIONS}. */
export function discoveryOptions(args: Arguments): FailoverOptions {
  const servers = args.texts('dns');
  const doh = args.text('doh');
  const allowedHosts = args.texts('allow-host');
  return {
    allowInsecure: args.flag('allow-insecure'),
    discovery: {
      dns: { ...(servers.length > 0 ? { servers } : {}), ...(doh === undefined ? {} : { doh }) },
      ...(allowedHosts.length > 0 ? { allowedHosts } : {}),
    },
  };
}

/**
 * The options of `connect` for what was given of {@link SESSION_OPTIONS}, and for MQTT_PASSWORD.
 *
 * @throws {@link UsageError} for a file that cannot be read.
 */
export async function sessionOptions(args: Arguments, { env }: Terminal): Promise<FailoverOptions> {
  const username = args.text('username');
  const password = args.text('password') ?? env.MQTT_PASSWORD;
  const ca = args.text('ca');
  const protocolVersion = args.number('protocol-version', { min: 4, max: 5 });
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined || password === '' ? {} : { password }),
    ...(ca === undefined ? {} : { ca: await readPem(ca) }),
    ...(protocolVersion === undefined ? {} : { protocolVersion: protocolVersion as 4 | 5 }),
  };
}

async function readPem(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw unreadable('--ca', path, error);
  });
}

/** The error for a file that a user named and that cannot be read. */
export function unreadable(where: string, path: string, error: unknown): UsageError {
  const code = (error as { code?: unknown }).code;
  const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a directory' : code;
  return new UsageError(`${where} ${quoted(path)} cannot be read: ${reason}`);
}

/** The parts that find brokers for one list. */
export interface Discovery {
  readonly options: ResolvedOptions;
  readonly resolver: Resolver;
  readonly authorisation: Authorisation;
  /** Why an endpoint must not be dialed; `undefined` when it may. */
  refusal(endpoint: Endpoint): string | undefined;
}

/**
 * Builds the library's own resolver and authorisation for a list.
 *
 * @param platform - May stand in for the terminal's own, to see what passes through it.
 * @throws {@link UsageError} for options that the library refuses.
 */
export function discover(parsed: ParsedBrokers, given: FailoverOptions, platform: Platform): Discovery {
  try {
    const options = resolveOptions(given, { maxMessages: 1_000, maxBytes: 1_048_576 });
    const { clock, random } = platform;
    const authorisation = authorisationOf(parsed, options, platform);
    return {
      options,
      authorisation,
      resolver: createResolver(parsed, resolverDeps(options, platform, clock, random)),
      refusal: (endpoint) => authorisation.refusal(endpoint),
    };
  } catch (error) {
    throw asUsage(error);
  }
}

/** Names of options of `connect`, and what the user wrote for them. */
const FLAG_OF: readonly (readonly [RegExp, string])[] = [
  [/`discovery\.dns\.servers[^`]*`/, '--dns'],
  [/`discovery\.dns\.doh`/, '--doh'],
  [/`discovery\.allowedHosts[^`]*`/, '--allow-host'],
  [/`allowInsecure: true`/, '--allow-insecure'],
  [/`clientId`/, '--client-id'],
  [/`zone`/, '--zone'],
  [/`brokers[^`]*`/, 'the list'],
];

/** An error of the library's about an option, in the words of the command line; anything else as it is. */
export function asUsage(error: unknown): unknown {
  if (!isFailoverError(error) || error.code !== 'ERR_OPTION') return error;
  const text = FLAG_OF.reduce((message, [name, flag]) => message.replace(name, flag), error.message);
  return new UsageError(text.replace(/^Option /, ''));
}
