import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createCertificate, type DistinguishedName } from './certificate.ts';

/** A certificate with its private key, both PEM. */
export interface CertificatePair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface CertificateAuthority extends CertificatePair {
  readonly name: DistinguishedName;
  readonly key: KeyObject;
  readonly notAfter: Date;
}

/** What a server needs to speak TLS and to know its own: DESIGN.md, Processes. */
export interface ServerPki {
  readonly ca: CertificateAuthority;
  /** The certificate is followed by its CA's, so that clients get the whole chain. */
  readonly serving: CertificatePair;
  /** P-256; signs service-account and component tokens. */
  readonly serviceAccountKey: KeyObject;
  /** Call `ensurePki` again at this time or later: something is then due for renewal. */
  readonly renewAfter: Date;
}

export interface PkiOptions {
  /** `<dataDir>/pki`; made with mode 0700 when absent. */
  readonly directory: string;
  /** DNS names and IP addresses that clients reach the server by; the loopback ones are always added. */
  readonly hosts: readonly string[];
  readonly now: Date;
}

const dayMs = 24 * 60 * 60 * 1000;
/** Clients' clocks may lag this much behind ours. */
const clockSkewMs = 5 * 60 * 1000;
const authorityDays = 3650;
const servingDays = 365;
/** A certificate is renewed when less than this part of its life is left. */
const renewalFraction = 1 / 3;

const alwaysHosts = [
  'localhost',
  '127.0.0.1',
  '::1',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];
const authorityName: DistinguishedName = { commonName: 'cellplane-ca' };

/** A folder whose keys and certificates do not fit together, or cannot be read. Never repaired by overwriting a key. */
export class PkiError extends Error {
  override readonly name = 'PkiError';
  readonly path: string;

  constructor(path: string, message: string, cause?: unknown) {
    super(`${path}: ${message}`, cause === undefined ? undefined : { cause });
    this.path = path;
  }
}

/**
 * Reads what is in the folder and makes what is missing, expired, nearly expired (a third of its life left) or lacking
 * a host. A key file is never overwritten: a CA is renewed with its own key, so that what it signed stays valid.
 * Files are written aside and renamed, mode 0600. Throws PkiError.
 */
export async function ensurePki(options: PkiOptions): Promise<ServerPki> {
  const { directory, now } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const ca = await ensureAuthority(directory, now);
  const hosts = [...new Set([...alwaysHosts, ...options.hosts.map((host) => host.toLowerCase())])];
  const { pair, notAfter } = await ensureServing(directory, ca, hosts, now);
  const serviceAccountKey = await ensureKey(join(directory, 'service-account.key'));
  const renewAfter = new Date(
    Math.min(renewalTime(ca.notAfter, authorityDays), renewalTime(notAfter, servingDays)),
  );
  return { ca, serving: pair, serviceAccountKey, renewAfter };
}

/** A client certificate: CN is the user, each O a group (U1). Valid from now, but never beyond its CA. */
export function issueClientCertificate(
  ca: CertificateAuthority,
  options: {
    readonly commonName: string;
    readonly organizations: readonly string[];
    readonly days: number;
    readonly now?: Date | undefined;
  },
): CertificatePair {
  const now = options.now ?? new Date();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificatePem = createCertificate({
    subject: { commonName: options.commonName, organizations: options.organizations },
    subjectKey: privateKey,
    issuer: ca.name,
    issuerKey: ca.key,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: earlier(new Date(now.getTime() + options.days * dayMs), ca.notAfter),
    isCertificateAuthority: false,
    extendedKeyUsages: ['clientAuth'],
  });
  return { certificatePem, keyPem: keyToPem(privateKey) };
}

/** True when the PEM's first certificate is unreadable, was not issued by `ca`, or has a third of its life left. */
export function needsRenewal(certificatePem: string, ca: CertificateAuthority, now: Date): boolean {
  try {
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.verify(new X509Certificate(ca.certificatePem).publicKey)) return true;
    return isDue(certificate, now);
  } catch {
    return true;
  }
}

async function ensureAuthority(directory: string, now: Date): Promise<CertificateAuthority> {
  const certificatePath = join(directory, 'ca.crt');
  const stored = await readIfThere(certificatePath);
  const key = await ensureKey(join(directory, 'ca.key'), stored !== undefined);
  const keyPem = keyToPem(key);
  if (stored !== undefined) {
    const certificate = parseCertificate(certificatePath, stored);
    if (!certificate.checkPrivateKey(key)) throw new PkiError(certificatePath, 'does not belong to ca.key');
    if (!isDue(certificate, now)) {
      return {
        name: authorityName,
        certificatePem: stored,
        keyPem,
        key,
        notAfter: new Date(certificate.validTo),
      };
    }
  }
  const notAfter = wholeSeconds(new Date(now.getTime() + authorityDays * dayMs));
  const certificatePem = createCertificate({
    subject: authorityName,
    subjectKey: key,
    issuer: authorityName,
    issuerKey: key,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter,
    isCertificateAuthority: true,
  });
  await writeAtomically(certificatePath, certificatePem);
  return { name: authorityName, certificatePem, keyPem, key, notAfter };
}

async function ensureServing(
  directory: string,
  ca: CertificateAuthority,
  hosts: readonly string[],
  now: Date,
): Promise<{ pair: CertificatePair; notAfter: Date }> {
  const certificatePath = join(directory, 'serving.crt');
  const stored = await readIfThere(certificatePath);
  const key = await ensureKey(join(directory, 'serving.key'));
  const keyPem = keyToPem(key);
  if (stored !== undefined && !needsRenewal(stored, ca, now)) {
    const certificate = new X509Certificate(stored);
    if (certificate.checkPrivateKey(key) && hosts.every((host) => covers(certificate, host))) {
      return { pair: { certificatePem: stored, keyPem }, notAfter: new Date(certificate.validTo) };
    }
  }
  const notAfter = wholeSeconds(earlier(new Date(now.getTime() + servingDays * dayMs), ca.notAfter));
  const own = createCertificate({
    subject: { commonName: 'cellplane-apiserver' },
    subjectKey: key,
    issuer: ca.name,
    issuerKey: ca.key,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter,
    isCertificateAuthority: false,
    extendedKeyUsages: ['serverAuth'],
    hosts,
  });
  const certificatePem = own + ca.certificatePem;
  await writeAtomically(certificatePath, certificatePem);
  return { pair: { certificatePem, keyPem }, notAfter };
}

/** Reads a private key, or makes one; `mustExist` when a certificate for it is already there. */
async function ensureKey(path: string, mustExist = false): Promise<KeyObject> {
  const stored = await readIfThere(path);
  if (stored !== undefined) {
    try {
      return createPrivateKey(stored);
    } catch (cause) {
      throw new PkiError(path, 'is no readable private key', cause);
    }
  }
  if (mustExist) throw new PkiError(path, 'is missing, though its certificate is there');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeAtomically(path, keyToPem(privateKey));
  return privateKey;
}

function parseCertificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new PkiError(path, 'is no readable certificate', cause);
  }
}

function covers(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}

function isDue(certificate: X509Certificate, now: Date): boolean {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return now.getTime() >= to - (to - from) * renewalFraction || now.getTime() < from;
}

function renewalTime(notAfter: Date, days: number): number {
  return notAfter.getTime() - days * dayMs * renewalFraction;
}

function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function earlier(a: Date, b: Date): Date {
  return a.getTime() < b.getTime() ? a : b;
}

function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PkiError(path, 'cannot be read', error);
  }
}

/** Readers see the old content or the new, never a part; a crash leaves at most a `.tmp` beside it. */
export async function writeAtomically(path: string, content: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new PkiError(path, 'cannot be written', error);
  }
}
