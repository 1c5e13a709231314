import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  time,
  utf8String,
} from './der.ts';

/** X.509 distinguished name as Kubernetes reads it: the user's name and groups (KUBERNETES.md U1). */
export interface DistinguishedName {
  readonly commonName: string;
  readonly organizations?: readonly string[] | undefined;
}

export type ExtendedKeyUsage = 'serverAuth' | 'clientAuth';

export interface CertificateOptions {
  readonly subject: DistinguishedName;
  /** The subject's public (or private) key, P-256. */
  readonly subjectKey: KeyObject;
  readonly issuer: DistinguishedName;
  /** Private key that signs, P-256. For a self-signed one, the subject's. */
  readonly issuerKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly isCertificateAuthority: boolean;
  readonly extendedKeyUsages?: readonly ExtendedKeyUsage[] | undefined;
  /** DNS names and IP addresses, told apart by their form. */
  readonly hosts?: readonly string[] | undefined;
}

const oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** keyUsage bits (RFC 5280 4.2.1.3), with the number of bits unused in their one byte. */
const usageSignCertificates = { bits: 0x06, unused: 1 };
const usageDigitalSignature = { bits: 0x80, unused: 7 };

/** A signed X.509 v3 certificate (RFC 5280) as PEM: ECDSA with SHA-256, a random 127-bit serial. */
export function createCertificate(options: CertificateOptions): string {
  const algorithm = sequence(objectIdentifier(oid.ecdsaWithSha256));
  const subjectKeyInfo = publicKeyInfo(options.subjectKey);
  const body = sequence(
    explicit(0, integer(Buffer.of(2))),
    integer(serialNumber()),
    algorithm,
    distinguishedName(options.issuer),
    sequence(time(options.notBefore), time(options.notAfter)),
    distinguishedName(options.subject),
    subjectKeyInfo,
    explicit(3, sequence(...extensions(options, subjectKeyInfo))),
  );
  const signature = sign('sha256', body, { key: options.issuerKey, dsaEncoding: 'der' });
  return toPem('CERTIFICATE', sequence(body, algorithm, bitString(signature)));
}

function extensions(options: CertificateOptions, subjectKeyInfo: Buffer): Buffer[] {
  const usage = options.isCertificateAuthority ? usageSignCertificates : usageDigitalSignature;
  const list = [
    extension(oid.keyUsage, true, bitString(Buffer.of(usage.bits), usage.unused)),
    extension(
      oid.basicConstraints,
      true,
      options.isCertificateAuthority ? sequence(boolean(true)) : sequence(),
    ),
    extension(oid.subjectKeyIdentifier, false, octetString(keyIdentifier(subjectKeyInfo))),
    extension(
      oid.authorityKeyIdentifier,
      false,
      sequence(implicit(0, keyIdentifier(publicKeyInfo(options.issuerKey)))),
    ),
  ];
  const usages = options.extendedKeyUsages ?? [];
  if (usages.length > 0) {
    const identifiers = usages.map((one) => objectIdentifier(oid[one]));
    list.push(extension(oid.extendedKeyUsage, false, sequence(...identifiers)));
  }
  const hosts = options.hosts ?? [];
  if (hosts.length > 0) {
    list.push(extension(oid.subjectAlternativeName, false, sequence(...hosts.map(generalName))));
  }
  return list;
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  return critical
    ? sequence(objectIdentifier(identifier), boolean(true), octetString(value))
    : sequence(objectIdentifier(identifier), octetString(value));
}

/** GeneralName (RFC 5280 4.2.1.6): dNSName [2], iPAddress [7]. */
function generalName(host: string): Buffer {
  return isIP(host) === 0 ? implicit(2, Buffer.from(host, 'latin1')) : implicit(7, addressBytes(host));
}

/** Four bytes of an IPv4 address, sixteen of an IPv6 one; a zone index is cut. */
export function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  let text = address.split('%')[0] ?? '';
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    text = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  const bytes = Buffer.alloc(16);
  [...left, ...zeros, ...right].forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return bytes;
}

/** One attribute a relative name, organizations first, as Kubernetes' own tools write them. */
function distinguishedName({ commonName, organizations = [] }: DistinguishedName): Buffer {
  return sequence(
    ...organizations.map((one) => attribute(oid.organization, one)),
    attribute(oid.commonName, commonName),
  );
}

function attribute(identifier: string, value: string): Buffer {
  return setOf(sequence(objectIdentifier(identifier), utf8String(value)));
}

function publicKeyInfo(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** SHA-1 over the public key's bit string (RFC 5280 4.2.1.2, method 1): an identifier, not a protection. */
function keyIdentifier(spki: Buffer): Buffer {
  // An uncompressed P-256 point is the last 65 bytes of its SubjectPublicKeyInfo.
  return createHash('sha1').update(spki.subarray(-65)).digest();
}

function serialNumber(): Buffer {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
