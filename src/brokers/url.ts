/** Takes the text of a broker URL apart. */
import type { IClientOptions } from 'mqtt';
import { KNOWN_SCHEMES, type Scheme, toScheme } from '../endpoint.js';
import { FailoverError, optionError } from '../errors.js';

const URL_FORM = /^([a-z][a-z0-9.-]*)(\+[a-z0-9.+-]+)?:\/\/([^/?#]*)([^#]*)/i;

/** The parts of a text that looks like a URL, as they were written. */
export interface UrlForm {
  readonly scheme: string;
  /** What follows the scheme with a plus, in lower case: `+srv`; empty without. */
  readonly suffix: string;
  /** Hosts with their ports, and the user info in front of them. */
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
  readonly fragment: string;
}

/** The parts of `text`; `undefined` if it is no URL. */
export function urlForm(text: string): UrlForm | undefined {
  const match = URL_FORM.exec(text);
  if (!match) return undefined;
  const [whole, scheme = '', suffix = '', authority = '', path = ''] = match;
  return { scheme, suffix: suffix.toLowerCase(), authority, path, fragment: text.slice(whole.length) };
}

/** A URL that may name several hosts; they share scheme, path, query and user info. */
export interface BrokerUrl {
  readonly scheme: Scheme;
  readonly authorities: readonly string[];
  readonly path: string;
  readonly credentials: Partial<IClientOptions>;
}

/**
 * Reads the URL of one broker or several.
 *
 * @throws {@link FailoverError} `ERR_OPTION`; of user info that it cannot read it shows nothing.
 */
export function readUrl(url: string, option: string): BrokerUrl {
  const form = urlForm(url.trim());
  const scheme = form?.suffix === '' ? toScheme(form.scheme) : undefined;
  if (!form || !scheme) {
    throw optionError(
      option,
      `a URL such as mqtts://host:8883 with one of the schemes ${KNOWN_SCHEMES.join(', ')}`,
      url,
    );
  }
  const { authority, path } = form;
  if (hasCutPassword(form)) throw malformedUserInfo(option);
  const at = authority.indexOf('@');
  const hosts = authority.slice(at + 1).split(',');
  if (at !== authority.lastIndexOf('@') || authority.slice(0, Math.max(at, 0)).includes(',')) {
    throw optionError(
      option,
      'a URL whose user info stands once, before the first host (encode @ as %40, a comma as %2C)',
      url,
    );
  }
  return {
    scheme,
    authorities: hosts.map((host) => host.trim()),
    path,
    credentials: at < 0 ? {} : readUserInfo(authority.slice(0, at), option),
  };
}

/** Whether a slash, ? or # in the password ended the authority early: what is left of it must not show. */
function hasCutPassword({ authority, path, fragment }: UrlForm): boolean {
  return (
    !authority.includes('@') &&
    (path + fragment).includes('@') &&
    /:(?!\d*(,|$))/.test(authority.replace(/\[[^\]]*\]/g, ''))
  );
}

function readUserInfo(userInfo: string, option: string): Partial<IClientOptions> {
  const colon = userInfo.indexOf(':');
  try {
    const username = decodeURIComponent(colon < 0 ? userInfo : userInfo.slice(0, colon));
    return colon < 0 ? { username } : { username, password: decodeURIComponent(userInfo.slice(colon + 1)) };
  } catch {
    // No cause: the platform's error may quote the password.
    throw malformedUserInfo(option);
  }
}

function malformedUserInfo(option: string): FailoverError {
  return new FailoverError(
    'ERR_OPTION',
    `Option \`${option}\` must have percent-encoded user info, got a malformed one`,
  );
}
