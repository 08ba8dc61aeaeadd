/**
 * Which hosts a source may name. Pure functions; a host passes by the parent-domain rule or by the operator's list.
 *
 * What they guard against: DNS and documents are not signed, and whoever forges them could otherwise send clients,
 * with their credentials, to a host of their own with a certificate of its own (R40).
 */
import { describe, FailoverError, optionError } from '../errors.js';

/**
 * The parent-domain rule (R24), after MongoDB's initial DNS seedlist discovery: with three or more labels the host must
 * be below the domain's parent, with fewer below the domain itself. Letter case and a trailing dot do not matter.
 *
 * @param domain - The name that the configuration has, never one that the DNS led to (R26).
 */
export function isUnder(domain: string, host: string): boolean {
  const labels = bare(domain).split('.');
  const parent = (labels.length >= 3 ? labels.slice(1) : labels).join('.');
  return parent !== '' && bare(host).endsWith(`.${parent}`);
}

/**
 * Whether `host` is on the list (R25): by its exact name, or below the suffix of a `*.suffix`.
 *
 * @param allowedHosts - As {@link checkAllowedHosts} returned them.
 */
export function matches(allowedHosts: readonly string[], host: string): boolean {
  const name = bare(host);
  return allowedHosts.some((entry) =>
    entry.startsWith('*.') ? name.endsWith(entry.slice(1)) : name === entry,
  );
}

/**
 * Reads option `discovery.allowedHosts` into lower-case A-labels.
 *
 * @throws {@link FailoverError} `ERR_OPTION` for what is no host name or `*.suffix`, and for suffixes under which
 * anybody can register a name.
 */
export function checkAllowedHosts(entries: readonly string[]): readonly string[] {
  return entries.map((entry, index) => {
    const option = `discovery.allowedHosts[${index}]`;
    const wildcard = entry.startsWith('*.');
    const host = asHost(wildcard ? entry.slice(2) : entry);
    if (host === undefined)
      throw optionError(option, 'a host name such as broker.example.com, or *.example.com', entry);
    if (!wildcard) return host;
    if (isPublicSuffix(host)) {
      throw new FailoverError(
        'ERR_OPTION',
        `Option \`${option}\` must not allow all of a public suffix, under which anybody can have a name, got ${describe(entry)}: name your own domain`,
      );
    }
    return `*.${host}`;
  });
}

function bare(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}

/** In characters as written, which may be several to one of A-labels. */
const MAX_HOST_LENGTH = 1_024;

function asHost(text: string): string | undefined {
  if (text.length > MAX_HOST_LENGTH) return undefined;
  if (/[\s/?#@*\\]/.test(text) || /:\d*$/.test(text.replace(/\[.*\]/, ''))) return undefined;
  try {
    return bare(new URL(`http://${text}`).hostname.replace(/^\[|\]$/g, '')) || undefined;
  } catch {
    return undefined;
  }
}

/** Top-level names that no registry sells: RFC 2606, RFC 6761, RFC 6762, `internal` (ICANN 2024), and local habits. */
const PRIVATE_SUFFIXES: ReadonlySet<string> = new Set(
  'test example invalid localhost local internal lan home corp private intranet consul cluster'.split(' '),
);
const SECOND_LEVEL = /^(ac|co|com|edu|gob|gov|go|mil|ne|net|nom|or|org)\.[a-z]{2}$/;

/** All single labels but the private ones, and the usual second level of country domains. Not the whole list of suffixes. */
function isPublicSuffix(host: string): boolean {
  return host.includes('.') ? SECOND_LEVEL.test(host) : !PRIVATE_SUFFIXES.has(host);
}
