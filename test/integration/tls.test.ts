/**
 * Each endpoint is asked for by its own name, and believed only with a certificate for it.
 *
 * The world: TLS fronts on this machine with certificates of an authority made for the test, one name or address each;
 * the names lead here by the client's own `lookup`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { FailoverError, FailoverOptions } from '../../src/index.js';
import { collect, once, until } from '../support/events.js';
import { type ScriptedBroker, scriptedBroker } from '../support/scripted-broker.js';
import { type CertificateAuthority, certificateAuthority, type ServerCertificate } from '../support/tls.js';
import { client, TlsFront } from './world.js';

const lookup = ((_host: string, options: { all?: boolean }, done: (...args: unknown[]) => void) =>
  options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) as never;

describe('TLS', () => {
  let authority: CertificateAuthority;
  let broker: ScriptedBroker;
  let certificates: Record<'a' | 'b' | 'address' | 'localhost', ServerCertificate>;
  let options: FailoverOptions;

  before(async () => {
    authority = await certificateAuthority();
    broker = await scriptedBroker();
    const [a, b, address, localhost] = await Promise.all([
      authority.issue(['a.test']),
      authority.issue(['b.test']),
      authority.issue(['127.0.0.1']),
      authority.issue(['localhost']),
    ]);
    certificates = { a, b, address, localhost };
    options = { ca: authority.ca, lookup } as FailoverOptions;
  });

  after(async () => {
    await broker.stop();
    await authority[Symbol.asyncDispose]();
  });

  test('asks a, then b, then a again for its own name and verifies each', async () => {
    await using a = await TlsFront.open(certificates.a, broker);
    await using b = await TlsFront.open(certificates.b, broker);
    await using subject = client([`mqtts://a.test:${a.port}`, `mqtts://b.test:${b.port}`], options);
    await once(subject, 'connect');
    await a.kill();
    await once(subject, 'connect');
    await a.revive();
    await b.kill();
    await once(subject, 'connect');
    assert.deepEqual([a.names, b.names], [['a.test', 'a.test'], ['b.test']]);
    assert.deepEqual([a.secured, b.secured], [2, 1]);
  });

  test('names no server for an address, and checks the certificate for that address', async () => {
    await using front = await TlsFront.open(certificates.address, broker);
    await using subject = client([`mqtts://127.0.0.1:${front.port}`], { ca: authority.ca });
    await once(subject, 'connect');
    assert.deepEqual(front.names, [false]);
  });

  test('does not take a certificate for a name where an address was asked for', async () => {
    await using wrong = await TlsFront.open(certificates.localhost, broker);
    await using right = await TlsFront.open(certificates.address, broker);
    const urls = [`mqtts://127.0.0.1:${wrong.port}`, `mqtts://127.0.0.1:${right.port}`];
    await using subject = client(urls, { ca: authority.ca });
    await once(subject, 'connect');
    assert.equal(subject.status().current, `127.0.0.1:${right.port}`);
    assert.match(subject.status().endpoints[0]?.reason ?? '', /127\.0\.0\.1 is not in the cert|IP/);
  });

  test('passes over an endpoint whose certificate is for another one, and sends it no CONNECT', async () => {
    await using imposter = await scriptedBroker();
    await using a = await TlsFront.open(certificates.b, imposter);
    await using b = await TlsFront.open(certificates.b, broker);
    await using subject = client([`mqtts://a.test:${a.port}`, `mqtts://b.test:${b.port}`], options);
    const errors = collect(subject, 'error');
    const warnings = collect<{ endpoint: string; code: unknown }>(subject, 'security');
    await once(subject, 'connect');
    assert.match(subject.status().endpoints[0]?.reason ?? '', /does not match certificate/);
    assert.equal(subject.status().endpoints[0]?.state, 'ejected');
    assert.deepEqual(
      warnings.map(({ endpoint, code }) => [endpoint, code]),
      [[`a.test:${a.port}`, 'ERR_TLS_CERT_ALTNAME_INVALID']],
    );
    assert.equal(imposter.connects, 0);
    assert.deepEqual(errors, []);
  });

  test('passes over an endpoint whose authority is unknown, and says so', async () => {
    await using front = await TlsFront.open(certificates.address, broker);
    await using subject = client([`mqtts://127.0.0.1:${front.port}`]);
    const warnings = collect<{ code: unknown }>(subject, 'security');
    const [error] = await once<[FailoverError]>(subject, 'error');
    assert.equal(error.code, 'ERR_ALL_FAILED');
    assert.match(error.message, /certificate/);
    assert.match(String(warnings[0]?.code), /SELF_SIGNED|UNABLE_TO/);
    // The slow lane, although the other waits of this client are a tenth of a second at most.
    await pause(300);
    assert.deepEqual([subject.status().state, subject.status().counters.attempts], ['backoff', 1]);
    assert.equal(broker.latest.isOpen && front.secured > 0, false);
  });

  test('passes over an endpoint whose certificate is over or has not begun, and says which', async () => {
    await using over = await TlsFront.open(await authority.issue(['a.test'], { days: 0 }), broker);
    await using early = await TlsFront.open(await authority.issue(['b.test'], { startsIn: 1 }), broker);
    await using good = await TlsFront.open(certificates.a, broker);
    const urls = [
      `mqtts://a.test:${over.port}`,
      `mqtts://b.test:${early.port}`,
      `mqtts://a.test:${good.port}`,
    ];
    await using subject = client(urls, { ...options, dial: { race: 1 } });
    const warnings = collect<{ endpoint: string; code: unknown }>(subject, 'security');
    await once(subject, 'connect');
    assert.equal(subject.status().current, `a.test:${good.port}`);
    assert.deepEqual(warnings.map(({ endpoint, code }) => [endpoint, code]).sort(), [
      [`a.test:${over.port}`, 'CERT_HAS_EXPIRED'],
      [`b.test:${early.port}`, 'CERT_NOT_YET_VALID'],
    ]);
  });

  test('never falls back to a plain connection', async () => {
    await using plain = await scriptedBroker();
    await using subject = client([`mqtts://127.0.0.1:${plain.port}`], { ca: authority.ca });
    const warnings = collect(subject, 'security');
    await once(subject, 'error');
    assert.equal(plain.connects, 0);
    assert.deepEqual(warnings, [], 'a handshake that fails is no certificate that fails');
  });

  test('uses the authority of each endpoint for that endpoint alone', async () => {
    await using other = await certificateAuthority();
    await using a = await TlsFront.open(await other.issue(['a.test']), broker);
    await using b = await TlsFront.open(certificates.b, broker);
    const brokers = [
      { url: `mqtts://a.test:${a.port}`, ca: other.ca },
      { url: `mqtts://b.test:${b.port}`, ca: authority.ca },
    ];
    await using subject = client(brokers, { lookup } as FailoverOptions);
    await once(subject, 'connect');
    await a.kill();
    await once(subject, 'connect');
    assert.deepEqual([a.secured, b.secured], [1, 1]);
  });

  test('takes rejectUnauthorized: false at its word', async () => {
    await using front = await TlsFront.open(certificates.a, broker);
    await using subject = client([`mqtts://127.0.0.1:${front.port}`], { rejectUnauthorized: false });
    await once(subject, 'connect');
  });

  test('keeps a servername that the application gave', async () => {
    await using front = await TlsFront.open(certificates.a, broker);
    const url = `mqtts://127.0.0.1:${front.port}`;
    await using subject = client([{ url, servername: 'a.test' } as never], { ca: authority.ca });
    await once(subject, 'connect');
    assert.deepEqual(front.names, ['a.test']);
  });

  test('works below WebSocket as well', async () => {
    await using webSocketBroker = await scriptedBroker(undefined, { ws: true });
    await using a = await TlsFront.open(certificates.a, webSocketBroker);
    await using b = await TlsFront.open(certificates.b, webSocketBroker);
    const urls = [`wss://a.test:${a.port}/mqtt`, `wss://b.test:${b.port}/mqtt`];
    await using subject = client(urls, { ca: authority.ca, wsOptions: { lookup } as never });
    await once(subject, 'connect');
    await a.kill();
    await once(subject, 'connect');
    assert.deepEqual([a.names, b.names], [['a.test'], ['b.test']]);
    await until(() => webSocketBroker.connects === 2);
  });
});
