import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { createCertificate } from '#apiserver/pki/certificate.ts';
import { CellProblem, edgeProblemOf, isUnanswered } from './edge-problem.ts';

const network = (code: string) =>
  new ApiError('ServiceUnavailable', `cannot reach it: ${code}`, {
    cause: Object.assign(new Error('fetch failed'), { cause: Object.assign(new Error(code), { code }) }),
  });

const rows: readonly (readonly [string, unknown, string, boolean])[] = [
  ['refused connection', network('ECONNREFUSED'), 'ConnectionRefused', false],
  ['unknown name', network('ENOTFOUND'), 'AddressNotFound', false],
  ['unknown authority', network('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'CertificateNotTrusted', false],
  ['expired certificate', network('CERT_HAS_EXPIRED'), 'CertificateNotTrusted', false],
  ['other name in the certificate', network('ERR_TLS_CERT_ALTNAME_INVALID'), 'CertificateNotTrusted', false],
  ['handshake', network('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'TlsFailed', false],
  ['cut line', network('ECONNRESET'), 'ConnectionReset', false],
  ['anything else', network('EHOSTUNREACH'), 'EdgeUnreachable', false],
  ['no answer', new ApiError('Timeout', 'late', { cause: new Error('aborted') }), 'EdgeTimeout', false],
  ["the server's own timeout", new ApiError('Timeout', 'late'), 'Timeout', true],
  ["the server's own 503", new ApiError('ServiceUnavailable', 'starting'), 'ServiceUnavailable', true],
  ['wrong token', new ApiError('Unauthorized', 'Unauthorized'), 'Unauthorized', true],
  ['of our own', new CellProblem('ForeignClaim', 'theirs', { reached: true }), 'ForeignClaim', true],
  ['something else', new TypeError('bug'), 'EdgeUnreachable', false],
];
for (const [name, error, reason, reached] of rows) {
  test(`edge problem: ${name} → ${reason}`, () => {
    const problem = edgeProblemOf(error);
    assert.deepEqual([problem.reason, problem.reached], [reason, reached]);
  });
}

test('only a call without any answer counts against the line', () => {
  assert.equal(isUnanswered(network('ECONNRESET')), true);
  assert.equal(isUnanswered(new ApiError('ServiceUnavailable', 'starting')), false);
  assert.equal(isUnanswered(new ApiError('Conflict', 'no')), false);
});

test('credentials that are refused after their time say when it was over', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const expiresMs = Date.UTC(2026, 5, 1);
  const certificatePem = createCertificate({
    subject: { commonName: 'federator' },
    subjectKey: privateKey,
    issuer: { commonName: 'federator' },
    issuerKey: privateKey,
    notBefore: new Date(expiresMs - 86_400_000),
    notAfter: new Date(expiresMs),
    isCertificateAuthority: false,
  });
  const refused = new ApiError('Unauthorized', 'Unauthorized');
  const messageAt = (nowMs: number) => edgeProblemOf(refused, { certificatePem, nowMs }).message;
  assert.match(messageAt(expiresMs + 1_000), /its client certificate expired at 2026-06-01T00:00:00/);
  assert.doesNotMatch(messageAt(expiresMs - 1_000), /expired/);
});
