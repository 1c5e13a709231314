import { X509Certificate } from 'node:crypto';

/** When the first certificate of the PEM expired, as RFC 3339; undefined when it has not, or cannot be read. */
export function expiredAt(certificatePem: string | undefined, nowMs: number): string | undefined {
  if (certificatePem === undefined) return undefined;
  try {
    const expiresMs = Date.parse(new X509Certificate(certificatePem).validTo);
    return expiresMs < nowMs ? new Date(expiresMs).toISOString() : undefined;
  } catch {
    return undefined; // whoever connects with it says so
  }
}
