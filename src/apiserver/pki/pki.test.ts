import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { addressBytes } from './certificate.ts';
import { integer, objectIdentifier, time } from './der.ts';
import { ensurePki, issueClientCertificate, needsRenewal, PkiError } from './pki.ts';

const dayMs = 24 * 60 * 60 * 1000;

describe('der', () => {
  const rows: [string, Buffer, string][] = [
    ['OID 1.2.840.10045.2.1', objectIdentifier('1.2.840.10045.2.1'), '06072a8648ce3d0201'],
    ['OID 2.5.4.3', objectIdentifier('2.5.4.3'), '0603550403'],
    ['integer with its sign bit set', integer(Buffer.of(0x80)), '02020080'],
    ['integer with leading zeros', integer(Buffer.of(0, 0, 1)), '020101'],
    ['zero', integer(Buffer.of(0, 0)), '020100'],
    [
      'UTCTime',
      time(new Date('2049-12-31T23:59:59Z')),
      `170d${Buffer.from('491231235959Z').toString('hex')}`,
    ],
    [
      'GeneralizedTime from 2050',
      time(new Date('2050-01-01T00:00:00Z')),
      `180f${Buffer.from('20500101000000Z').toString('hex')}`,
    ],
  ];
  for (const [name, actual, expected] of rows) {
    it(name, () => assert.equal(actual.toString('hex'), expected));
  }

  it('address bytes agree with what X.509 shows', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        assert.equal(addressBytes(address).length, isIP(address) === 4 ? 4 : 16);
      }),
      { numRuns: 200 },
    );
    assert.equal(addressBytes('::1').toString('hex'), '00000000000000000000000000000001');
    assert.equal(addressBytes('fe80::1:2').toString('hex'), 'fe800000000000000000000000010002');
    assert.equal(addressBytes('::ffff:10.0.0.1').toString('hex'), '00000000000000000000ffff0a000001');
  });
});

describe('pki (DESIGN.md, Processes)', () => {
  let directory = '';
  const now = new Date('2026-11-21T12:00:00Z');
  const hosts = ['cellplane.example.org', '10.1.2.3', 'fd00::7'];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cellplane-pki-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('makes a CA and a serving certificate that verify, for all hosts', async () => {
    const pki = await ensurePki({ directory, hosts, now });
    const ca = new X509Certificate(pki.ca.certificatePem);
    const serving = new X509Certificate(pki.serving.certificatePem);
    assert.equal(ca.ca, true);
    assert.equal(serving.ca, false);
    assert.equal(serving.verify(ca.publicKey), true);
    assert.equal(serving.checkIssued(ca), true);
    for (const host of ['localhost', 'cellplane.example.org']) assert.equal(serving.checkHost(host), host);
    for (const ip of ['127.0.0.1', '::1', '10.1.2.3', 'fd00::7']) assert.equal(serving.checkIP(ip), ip);
    assert.deepEqual(serving.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    await writeFile(join(directory, 'leaf.pem'), pki.serving.certificatePem);
    const out = execFileSync(
      'openssl',
      // -x509_strict checks the extensions against RFC 5280.
      [
        'verify',
        '-x509_strict',
        '-attime',
        String(now.getTime() / 1000),
        '-purpose',
        'sslserver',
        '-CAfile',
        join(directory, 'ca.crt'),
        join(directory, 'leaf.pem'),
      ],
      { encoding: 'utf8' },
    );
    assert.match(out, /leaf\.pem: OK/);
    await rm(join(directory, 'leaf.pem'));
  });

  it('keeps keys private and leaves nothing behind', async () => {
    const names = (await readdir(directory)).sort();
    assert.deepEqual(names, ['ca.crt', 'ca.key', 'service-account.key', 'serving.crt', 'serving.key']);
    for (const name of names) {
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    }
  });

  it('is stable until renewal is due, then renews with the same keys', async () => {
    const first = await ensurePki({ directory, hosts, now });
    const later = await ensurePki({ directory, hosts, now: new Date(now.getTime() + 30 * dayMs) });
    assert.equal(later.serving.certificatePem, first.serving.certificatePem);
    const due = await ensurePki({ directory, hosts, now: new Date(first.renewAfter.getTime() + 1000) });
    assert.notEqual(due.serving.certificatePem, first.serving.certificatePem);
    assert.equal(due.serving.keyPem, first.serving.keyPem);
    assert.equal(due.ca.certificatePem, first.ca.certificatePem);
    assert.ok(due.renewAfter > first.renewAfter);
    const decade = await ensurePki({ directory, hosts, now: new Date(now.getTime() + 3000 * dayMs) });
    assert.notEqual(decade.ca.certificatePem, first.ca.certificatePem);
    assert.equal(decade.ca.keyPem, first.ca.keyPem);
    assert.equal(
      new X509Certificate(first.serving.certificatePem).verify(
        new X509Certificate(decade.ca.certificatePem).publicKey,
      ),
      true,
    );
  });

  it('issues anew when a host is added', async () => {
    const pki = await ensurePki({ directory, hosts: [...hosts, 'new.example.org'], now });
    assert.equal(
      new X509Certificate(pki.serving.certificatePem).checkHost('new.example.org'),
      'new.example.org',
    );
  });

  it('client certificates carry user and groups (U1), never outlive the CA', async () => {
    const { ca } = await ensurePki({ directory, hosts, now });
    const pair = issueClientCertificate(ca, {
      commonName: 'jane/ü',
      organizations: ['system:masters', 'ops'],
      days: 100_000,
      now,
    });
    const certificate = new X509Certificate(pair.certificatePem);
    assert.equal(certificate.subject, 'O=system:masters\nO=ops\nCN=jane/ü');
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
    assert.equal(Date.parse(certificate.validTo), ca.notAfter.getTime());
    assert.equal(needsRenewal(pair.certificatePem, ca, now), false);
    assert.equal(needsRenewal(pair.certificatePem, ca, ca.notAfter), true);
    assert.equal(needsRenewal('nonsense', ca, now), true);
  });

  it('refuses a folder whose CA key is lost or foreign', async () => {
    const key = await readFile(join(directory, 'ca.key'), 'utf8');
    await rm(join(directory, 'ca.key'));
    await assert.rejects(ensurePki({ directory, hosts, now }), PkiError);
    await writeFile(join(directory, 'ca.key'), 'garbage');
    await assert.rejects(ensurePki({ directory, hosts, now }), /ca\.key: is no readable private key/);
    await writeFile(join(directory, 'ca.key'), await readFile(join(directory, 'serving.key')));
    await assert.rejects(ensurePki({ directory, hosts, now }), /does not belong to ca\.key/);
    await writeFile(join(directory, 'ca.key'), key);
  });
});
