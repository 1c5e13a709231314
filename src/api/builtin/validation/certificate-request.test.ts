import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateRequestError, certificatesFault } from './certificate-request.ts';

/** DER of requests that openssl made, in base64. */
const requests: { readonly [key: string]: string } = {
  'ECDSA P-256': [
    'MIHRMHoCAQAwGDEKMAgGA1UEAwwBdTEKMAgGA1UECgwBZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABM3a/oCbzUxoGQrh',
    'dIzeyNZ8T25iLflJaQ4upYDuOCZJbgnRAQMCyIWvUHP2fztGvkJ+3cXcijNw7xQBKDuaneagADAKBggqhkjOPQQDAgNHADBE',
    'AiBX7zd8M3j6mrYk9izPKxMLEnoiHPMB2lCAX9Q7ExxYKQIgBc3g0ZEoBuqIL3rIVqX4jJCJThVEe2qK9+BUJZ7sPeE=',
  ].join(''),
  Ed25519: [
    'MIGLMD8CAQAwDDEKMAgGA1UEAwwBdTAqMAUGAytlcAMhANwdepOMzsbyEb0st3tfSeuJWUHVzFZMv/ZnhNG1y68OoAAwBQYD',
    'K2VwA0EAnYUGTBJg0tw+r2J289btHaqqEGjxvEAvljpy9tpQqq+YFwWTEETToYLItsp6LVHczteUiXcguHKfKtvb7GHpDg==',
  ].join(''),
  'RSA 2048': [
    'MIICUTCCATkCAQAwDDEKMAgGA1UEAwwBdTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBALtYbHeGZ4xpkr5jslGb',
    'JcK6p0637GQYfSfMg7yIUnc50p126n8r6p4R35bMPq7TUUTsBNpfYd84dmQC+MrXFTfnfrQJ3kPe14iZNTolyklbXdHyVKpM',
    '0WZC0ReG6b0VOk/FdaA/Kl9JNBq1VGT/jHNyMOrwLp2+Nl0Uyzswt6+A3ezn2XzYcjgzczMaFksuRaZQc3VADo97B9aAnQYj',
    'RxNQJZ0GJnoAU1F3dDqnclzXZfax7jYt2J+a+PbQwXaGzoPGSE7PdU/pxAhTqvC87KUuF2IDIRti/GmlbIA3UoeI3zsbyJgu',
    'xcL/TOvHcY+wftGDUCf6tzTK4//FW4eIhK0CAwEAAaAAMA0GCSqGSIb3DQEBCwUAA4IBAQCm8KKSxEJLhwYJgNX3JflzrTam',
    'OB22TiV7R8XPguc5LXod9lU0FgHFtUS41e0bQGVTIpUZqY6TyagCtXMl3oeFq0fiNZsR8B3APEC6d7YPFopCKbF4iynGkCtV',
    'And3uOGKDzIqtOizEYHrT+sPxSX/hHHoV4au7vK0IUn7Zky43+V0fhSPxat5B1mriG48LEZbYzHOj86OfCfieawhAR9VL01s',
    'OXhS2w/0/4MLRsBu2HdvkJn7ev9q1eWeCc1juxAE9x81Ti/cJaxahk/1572Vu9ZXV/ElJ4eNvEum5+5TTXPELXtywVIxF+G4',
    'lGm9rPH+1q3YuNbJF0SvyXGrfBl4',
  ].join(''),
};

function pem(der: string, type = 'CERTIFICATE REQUEST'): string {
  const lines = der.match(/.{1,64}/g)!.join('\n');
  return Buffer.from(`-----BEGIN ${type}-----\n${lines}\n-----END ${type}-----\n`).toString('base64');
}

test('requests that openssl makes are fine', () => {
  for (const key in requests) assert.equal(certificateRequestError(pem(requests[key]!)), undefined, key);
});

test('what is no request is refused (certificates ParseCSR)', () => {
  const der = requests['ECDSA P-256']!;
  const rows: [string, string][] = [
    ['', 'PEM block type must be CERTIFICATE REQUEST'],
    [pem(der, 'CERTIFICATE'), 'PEM block type must be CERTIFICATE REQUEST'],
    [pem(der.slice(0, 80)), 'x509: malformed certificate request'],
    [pem('AAAA'), 'x509: malformed certificate request'],
  ];
  for (const [request, why] of rows) assert.equal(certificateRequestError(request), why);
});

test('PEM is read as Go reads it', () => {
  const plain = (text: string) => Buffer.from(text).toString('base64');
  const good = Buffer.from(pem(requests['Ed25519']!), 'base64').toString('utf8');
  const fine = [
    `Request:\n  Data\n${good}`,
    `${good}more`,
    good + good,
    good.replaceAll('\n', '\r\n'),
    good.trimEnd(),
  ];
  for (const text of fine) assert.equal(certificateRequestError(plain(text)), undefined, text);
  const none = 'PEM block type must be CERTIFICATE REQUEST';
  const bad = [
    `x${good}`,
    good.replace('END CERTIFICATE', 'END OTHER'),
    good.replace('MIG', '!!!'),
    good.replace(/^/, '-----BEGIN X-----\nAAAA\n-----END X-----\n'),
  ];
  for (const text of bad) assert.equal(certificateRequestError(plain(text)), none, text);
  const longer = Buffer.concat([Buffer.from(requests['Ed25519']!, 'base64'), Buffer.from([0])]);
  assert.equal(certificateRequestError(pem(longer.toString('base64'))), 'asn1: syntax error: trailing data');
});

test('a signature that does not hold is refused', () => {
  for (const key in requests) {
    const bytes = Buffer.from(requests[key]!, 'base64');
    // A byte of the subject, which is signed.
    const at = bytes.indexOf(Buffer.from('550403', 'hex')) + 5;
    bytes[at] = bytes[at]! ^ 1;
    const error = certificateRequestError(pem(bytes.toString('base64')));
    assert.ok(error !== undefined && error !== '', key);
  }
});

test('any prefix or bit flip of a request is answered, not thrown', () => {
  const bytes = Buffer.from(requests['Ed25519']!, 'base64');
  for (let i = 0; i < bytes.length; i++) {
    assert.ok(
      certificateRequestError(pem(bytes.subarray(0, i + 1).toString('base64'))) !== undefined ||
        i === bytes.length - 1,
    );
    const flipped = Buffer.from(bytes);
    flipped[i] = flipped[i]! ^ 0x80;
    certificateRequestError(pem(flipped.toString('base64')));
  }
});

test('a certificate is one, or several behind one another (x509.ParseCertificates)', () => {
  const der = Buffer.from(
    [
      'MIIBbjCCARWgAwIBAgIURHeWhq76BmGimZhSboA3dRAyxGkwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBdTAgFw0yNjExMjIy',
      'MjUwNDlaGA8yMTI2MTAyOTIyNTA0OVowDDEKMAgGA1UEAwwBdTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABI+UWaO1rF0y',
      'VeFv/Q28jRsnCc6QYqcOfV107Yrj64QNqjVxVoZVy7kO5U+8dc7m3/7gRyamvYyokxz1U/LpvPKjUzBRMB0GA1UdDgQWBBST',
      'R+mkKbJcXOi4in6GNCEc6mzjrDAfBgNVHSMEGDAWgBSTR+mkKbJcXOi4in6GNCEc6mzjrDAPBgNVHRMBAf8EBTADAQH/MAoG',
      'CCqGSM49BAMCA0cAMEQCIA8x63jg+xYR8j0Ko4Sngdrp5/Dgr71SQxexP94OyWLaAiBuS5wqRrtdJNmFGG1XlyMxZ0+TvniM',
      'N95e80klkngU2A==',
    ].join(''),
    'base64',
  );
  for (const fine of [der, Buffer.concat([der, der])]) assert.equal(certificatesFault(fine), undefined);
  assert.equal(certificatesFault(Buffer.alloc(0)), 'found CERTIFICATE PEM block containing 0 certificates');
  const longer = Buffer.concat([der, Buffer.from([0])]);
  const other = Buffer.from(der);
  other[4] = 0x31; // no sequence
  for (const bad of [der.subarray(0, 100), longer, other, Buffer.from('nothing')])
    assert.equal(certificatesFault(bad), 'x509: malformed certificate');
});
