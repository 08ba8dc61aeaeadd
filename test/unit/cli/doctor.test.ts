// What a doctor concludes from dates and certificates, and that its codes are documented.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { certificateFinding } from '../../../src/cli/doctor/certificate.js';
import { clockFinding } from '../../../src/cli/doctor/clock.js';
import type { CertificateReport } from '../../../src/platform/node-certificate.js';

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;
const FINE: CertificateReport = {
  names: 'DNS:a.example.com',
  issuer: 'Example CA',
  validFrom: NOW - DAY,
  validTo: NOW + 30 * DAY,
  chainError: undefined,
  nameError: undefined,
  protocol: 'TLSv1.3',
};
const codes = (report: Partial<CertificateReport>) =>
  (certificateFinding({ ...FINE, ...report }, 'a.example.com', NOW).problems ?? []).map(([code]) => code);

describe('certificateFinding', () => {
  it('finds nothing in a certificate that is fine, and tells what is left of it', () => {
    assert.deepEqual(codes({}), []);
    assert.match(
      certificateFinding(FINE, 'a.example.com', NOW).detail,
      /Example CA, until \d{4}.* \(30 days left\)/,
    );
  });

  it('finds each fault by itself', () => {
    assert.deepEqual(codes({ validTo: NOW - 1, chainError: 'CERT_HAS_EXPIRED' }), ['certificate-expired']);
    assert.deepEqual(codes({ nameError: 'no' }), ['certificate-name']);
    assert.deepEqual(codes({ chainError: 'SELF_SIGNED_CERT_IN_CHAIN' }), ['certificate-untrusted']);
    assert.deepEqual(
      codes({ validTo: NOW - 1, nameError: 'no', chainError: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      ['certificate-expired', 'certificate-name', 'certificate-untrusted'],
    );
  });

  it('takes a certificate of tomorrow for a clock that is wrong', () => {
    assert.deepEqual(codes({ validFrom: NOW + DAY, chainError: 'CERT_NOT_YET_VALID' }), ['clock-skew']);
  });

  it('finds an expired authority behind a certificate in its time', () => {
    assert.deepEqual(codes({ chainError: 'CERT_HAS_EXPIRED' }), ['certificate-expired']);
  });
});

describe('clockFinding', () => {
  it('lets a minute pass, and says which way the clock is off beyond that', () => {
    assert.equal(clockFinding(NOW, NOW + 59_000, 'it').problems, undefined);
    assert.match(clockFinding(NOW, NOW + 2 * 3_600_000, 'it').detail, /2 hours ahead of it/);
    assert.match(clockFinding(NOW, NOW - DAY, 'it').detail, /1 day behind it/);
  });
});

describe('problem codes', () => {
  it('are the same in the type, its docstring and docs/cli.md', async () => {
    const text = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');
    const source = await text('src/cli/doctor/findings.ts');
    const union = source.slice(source.indexOf('type ProblemCode'), source.indexOf('type StepName'));
    const typed = [...union.matchAll(/^ {2}\| '([a-z0-9-]+)'/gm)].map(([, code]) => code);
    const rows = (page: string) =>
      [...page.matchAll(/^(?: \* )?\| `([a-z0-9-]+)` \| ([^|]+) \|$/gm)].map(
        ([, code, what]) => `${code} ${what}`,
      );
    const documented = rows(source.slice(0, source.indexOf('export type')));
    assert.ok(typed.length > 20);
    assert.deepEqual(
      documented.map((row) => row.split(' ')[0]),
      typed,
    );
    const page = await text('docs/cli.md');
    assert.deepEqual(rows(page.slice(page.indexOf('| code | meaning |'))), documented);
  });
});
