/** What a certificate says, judged. Pure. */
import { toDay, toIso } from '../../platform/calendar.js';
import type { CertificateReport } from '../../platform/node-certificate.js';
import { span } from './clock.js';
import type { Finding, ProblemCode } from './findings.js';

/** OpenSSL's words for a certificate whose time is the trouble: told by its dates. */
const OF_TIME: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/**
 * Judges a certificate: its dates, its name and its chain, each by itself.
 *
 * @param host - The name that was asked for.
 * @param now - Milliseconds since 1970.
 */
export function certificateFinding(report: CertificateReport, host: string, now: number): Finding {
  const { names, issuer, validFrom, validTo, chainError, nameError, protocol } = report;
  const problems: [ProblemCode, string][] = [];
  if (now > validTo) {
    const text = `the certificate has expired ${span(now - validTo)} ago, on ${toIso(validTo)}`;
    problems.push(['certificate-expired', text]);
  }
  if (now < validFrom) {
    const text = `clock skew: the certificate is not valid before ${toIso(validFrom)}, which is ${span(validFrom - now)} ahead of the clock of this machine`;
    problems.push(['clock-skew', text]);
  }
  if (nameError !== undefined) {
    const text = `name mismatch: the certificate is not for ${host} but for ${names}`;
    problems.push(['certificate-name', text]);
  }
  if (chainError !== undefined && !OF_TIME.has(chainError)) {
    const text = `the certificate is not trusted: ${chainError} (issued by ${issuer}; --ca names an authority to trust)`;
    problems.push(['certificate-untrusted', text]);
  }
  // The chain above the server's own certificate may be the one whose time is over.
  if (problems.length === 0 && chainError !== undefined)
    problems.push(['certificate-expired', `a certificate of the chain is out of its time: ${chainError}`]);
  const left = now > validTo ? 'expired' : `${Math.floor((validTo - now) / 86_400_000)} days left`;
  return { detail: `${protocol}, for ${names}, by ${issuer}, until ${toDay(validTo)} (${left})`, problems };
}
