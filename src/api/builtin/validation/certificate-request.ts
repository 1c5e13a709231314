import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { pemBlocks } from './pem-blocks.ts';

/** One DER element: its tag, its content, and where the whole of it lies. */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

const sequence = 0x30;
const integer = 0x02;
const bitString = 0x03;
const objectIdentifier = 0x06;

/** Signature algorithms that Go's x509 verifies, by the hex of their object identifier. */
const digests: { readonly [oid: string]: string | null } = {
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null, // Ed25519 has its own
};

/**
 * What is wrong with a base64-encoded PEM PKCS#10 request, undefined when it parses and its signature holds (RFC 2986;
 * certificates.ParseCSR and CheckSignature in Kubernetes).
 */
export function certificateRequestError(base64: string): string | undefined {
  const [block] = pemBlocks(Buffer.from(base64, 'base64').toString('latin1'));
  if (block?.type !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST';
  const whole = read(block.bytes, 0);
  if (whole?.tag === sequence && whole.whole.length < block.bytes.length)
    return 'asn1: syntax error: trailing data';
  const request = children(whole);
  const [info, algorithm, signature] = request ?? [];
  if (info === undefined || algorithm === undefined || signature?.tag !== bitString) {
    return 'x509: malformed certificate request';
  }
  const [version, subject, key] = children(info) ?? [];
  if (version?.tag !== integer || subject?.tag !== sequence || key?.tag !== sequence) {
    return 'x509: malformed certificate request';
  }
  const oid = children(algorithm)?.[0];
  const name = oid?.tag === objectIdentifier ? oid.content.toString('hex') : '';
  if (!Object.hasOwn(digests, name)) return 'x509: cannot verify signature: algorithm unimplemented';
  return isSigned(digests[name]!, info.whole, key.whole, signature.content.subarray(1))
    ? undefined
    : 'x509: invalid signature of the certificate request';
}

/** What is wrong with certificates in DER, one behind the other, undefined when each of them is one (x509.ParseCertificates). */
export function certificatesFault(der: Buffer): string | undefined {
  if (der.length === 0) return 'found CERTIFICATE PEM block containing 0 certificates';
  for (let offset = 0; offset < der.length; ) {
    const element = read(der, offset);
    if (element === undefined) return 'x509: malformed certificate';
    try {
      new X509Certificate(element.whole);
    } catch {
      return 'x509: malformed certificate';
    }
    offset += element.whole.length;
  }
  return undefined;
}

function isSigned(digest: string | null, signed: Buffer, spki: Buffer, signature: Buffer): boolean {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    return false;
  }
  try {
    return verify(digest, signed, key, signature);
  } catch {
    return false;
  }
}

/** Reads the element at an offset; undefined when it does not fit. */
function read(der: Buffer, offset: number): Element | undefined {
  if (offset + 2 > der.length) return undefined;
  const tag = der[offset]!;
  let length = der[offset + 1]!;
  let start = offset + 2;
  if (length >= 0x80) {
    const bytes = length & 0x7f;
    if (bytes === 0 || bytes > 3 || start + bytes > der.length) return undefined;
    length = der.readUIntBE(start, bytes);
    start += bytes;
  }
  const end = start + length;
  if (end > der.length) return undefined;
  return { tag, content: der.subarray(start, end), whole: der.subarray(offset, end) };
}

/** The elements of a sequence; undefined when it is none. */
function children(element: Element | undefined): Element[] | undefined {
  if (element?.tag !== sequence) return undefined;
  const found: Element[] = [];
  for (let offset = 0; offset < element.content.length; ) {
    const child = read(element.content, offset);
    if (child === undefined) return undefined;
    found.push(child);
    offset += child.whole.length;
  }
  return found;
}
