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
const valid = (days: number) => ['-days', String(days)];

export interface ServerCertificate {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

export interface Validity {
  /** 0: over within the second in which it is made. @defaultValue 2 */
  readonly days?: number;
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
    { days = DAYS }: Validity = {},
  ): Promise<ServerCertificate> => {
    const name = `server${++issued}`;
    const alternatives = names.map((each) => (isIP(each) ? `IP:${each}` : `DNS:${each}`)).join(',');
    const extensions = [
      'basicConstraints=CA:FALSE',
      'extendedKeyUsage=serverAuth',
      `subjectAltName=${alternatives}`,
    ];
    await writeFile(file(`${name}.ext`), extensions.join('\n'));
    const request = ['-keyout', file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', '/CN=test server'];
    await run('openssl', ['req', ...NEW_KEY, ...request]);
    const signer = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-set_serial', String(issued)];
    const certificate = ['-extfile', file(`${name}.ext`), '-out', file(`${name}.crt`)];
    await run('openssl', [
      'x509',
      '-req',
      '-in',
      file(`${name}.csr`),
      ...signer,
      ...valid(days),
      ...certificate,
    ]);
    const [key, cert] = await Promise.all([read(file(`${name}.key`)), read(file(`${name}.crt`))]);
    return { key, cert };
  };

  try {
    await run('openssl', [
      ...['req', '-x509', ...NEW_KEY, ...valid(DAYS), '-keyout', file('ca.key'), '-out', file('ca.crt')],
      ...['-subj', '/CN=test authority', '-addext', 'basicConstraints=critical,CA:TRUE'],
      ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ]);
    return { ca: await read(file('ca.crt')), issue, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8');
}
