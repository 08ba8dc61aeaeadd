/**
 * Certificates made on the spot.
 *
 * The world it builds: a certificate authority nobody else trusts, and servers it vouches for by name. Keys
 * are made at test time by the `openssl` command, so that none is kept in the repository and none expires
 * there.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const DAYS = 2;
const DAY_MS = 86_400_000;

export interface ServerCertificate {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

export interface Validity {
  /** 0: over within the second in which it is made. @defaultValue 2 */
  readonly days?: number;
  /** Days until it begins. @defaultValue 0 */
  readonly startsIn?: number;
}

export interface CertificateAuthority extends AsyncDisposable {
  /** PEM, for the `ca` option of a client. */
  readonly ca: string;
  /** A server certificate valid for these host names and addresses only. */
  issue(names: readonly string[], validity?: Validity): Promise<ServerCertificate>;
}

export async function certificateAuthority(): Promise<CertificateAuthority> {
  const directory = await mkdtemp(join(tmpdir(), 'test-ca-'));
  const file = (name: string) => join(directory, name);
  const remove = () => rm(directory, { recursive: true, force: true });
  let issued = 0;

  const issue = async (
    names: readonly string[],
    { days = DAYS, startsIn = 0 }: Validity = {},
  ): Promise<ServerCertificate> => {
    const name = `server${++issued}`;
    const part = (extension: string) => file(`${name}.${extension}`);
    const alternatives = names.map((each) => (isIP(each) ? `IP:${each}` : `DNS:${each}`)).join(',');
    const extensions = [
      'basicConstraints=CA:FALSE',
      'extendedKeyUsage=serverAuth',
      `subjectAltName=${alternatives}`,
    ];
    // `openssl x509` cannot let a certificate begin later; `openssl ca` keeps books, here of one certificate each.
    const books = ['[ca]', 'default_ca=books', '[books]', `database=${part('db')}`, 'default_md=sha256'];
    const config = [...books, 'rand_serial=yes', 'policy=any', '[any]', 'commonName=supplied'];
    await Promise.all([
      writeFile(part('ext'), extensions.join('\n')),
      writeFile(part('cnf'), config.join('\n')),
      writeFile(part('db'), ''),
    ]);
    const from = Date.now() + startsIn * DAY_MS;
    await run('openssl', [
      ...['req', ...NEW_KEY, '-keyout', part('key'), '-out', part('csr'), '-subj', '/CN=test server'],
    ]);
    await run('openssl', [
      ...[
        'ca',
        '-batch',
        '-notext',
        '-config',
        part('cnf'),
        '-cert',
        file('ca.crt'),
        '-keyfile',
        file('ca.key'),
      ],
      ...['-in', part('csr'), '-extfile', part('ext'), '-out', part('crt'), '-outdir', directory],
      ...['-startdate', asn1Time(from), '-enddate', asn1Time(from + days * DAY_MS)],
    ]);
    const [key, cert] = await Promise.all([read(part('key')), read(part('crt'))]);
    return { key, cert };
  };

  try {
    await run('openssl', [
      ...[
        'req',
        '-x509',
        ...NEW_KEY,
        '-days',
        String(DAYS),
        '-keyout',
        file('ca.key'),
        '-out',
        file('ca.crt'),
      ],
      ...['-subj', '/CN=test authority', '-addext', 'basicConstraints=critical,CA:TRUE'],
      ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ]);
    return { ca: await read(file('ca.crt')), issue, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Seconds in UTC, as GeneralizedTime: 20261121000000Z. */
function asn1Time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8');
}
