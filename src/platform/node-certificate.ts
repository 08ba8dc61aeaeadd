/** A look at a server's certificate, also at one that no client should accept. */

import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, connect, type PeerCertificate } from 'node:tls';

/** What a server showed, and what is wrong with it. */
export interface CertificateReport {
  /** Names it is valid for, as the certificate has them: `DNS:a.example.com, IP Address:192.0.2.1`. */
  readonly names: string;
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  /** Milliseconds since 1970. */
  readonly validTo: number;
  /** Why the chain is not trusted, as OpenSSL names it; `undefined` where it is. */
  readonly chainError: string | undefined;
  /** Why it is not valid for the host that was asked for; `undefined` where it is. */
  readonly nameError: string | undefined;
  /** TLS version, such as `TLSv1.3`. */
  readonly protocol: string;
}

/**
 * Makes a TLS handshake and closes the connection, without sending anything in it. The certificate is looked at instead of checked, so nothing of what follows may be
 * concluded from success: whoever sends data opens a connection of their own, which is checked.
 *
 * @param name - The host that the certificate must be valid for (RFC 9525).
 * @param address - Where to connect.
 * @throws the platform's error when there is no handshake, or the signal's reason.
 */
export function inspectCertificate(
  name: string,
  address: string,
  port: number,
  options: Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>,
  signal: AbortSignal,
): Promise<CertificateReport> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const servername = isIP(name) === 0 ? { servername: name } : {};
    // The check is made below, so that each fault of a certificate is found and not only the first.
    const socket = connect({ ...options, ...servername, host: address, port, rejectUnauthorized: false });
    const onAbort = () => socket.destroy(signal.reason);
    signal.addEventListener('abort', onAbort);
    socket.on('error', reject);
    socket.on('close', () => {
      signal.removeEventListener('abort', onAbort);
      reject(new Error('the connection was closed during the TLS handshake'));
    });
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      const { authorizationError } = socket as { authorizationError?: unknown };
      resolve(report(name, certificate, authorizationError, socket.getProtocol() ?? ''));
      socket.destroy();
    });
  });
}

function report(
  name: string,
  certificate: PeerCertificate,
  authorizationError: unknown,
  protocol: string,
): CertificateReport {
  const { subjectaltname, subject, issuer, valid_from, valid_to } = certificate;
  const wrongName = checkServerIdentity(name, certificate);
  const error = (authorizationError as { code?: unknown } | undefined)?.code ?? authorizationError;
  return {
    names: subjectaltname ?? `CN:${subject?.CN ?? ''}`,
    issuer: String(issuer?.CN ?? issuer?.O ?? ''),
    validFrom: Date.parse(valid_from),
    validTo: Date.parse(valid_to),
    chainError: error && error !== 'ERR_TLS_CERT_ALTNAME_INVALID' ? String(error) : undefined,
    nameError: wrongName?.message,
    protocol,
  };
}
