import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from './authenticator.ts';

/**
 * Authorities of client certificates that can be told from one another. TLS verifies a certificate against all that the
 * server knows; who may be believed about what depends on which of them signed it.
 */
export class CertificateAuthorities {
  #certificates: readonly X509Certificate[] = [];
  #signed = new WeakMap<PeerCertificate, boolean>();

  /** PEM bundle; undefined: none, nobody is believed. Throws Error for one that cannot be read or is empty. */
  constructor(pem: string | undefined) {
    this.replace(pem);
  }

  /** Takes other authorities; certificates are judged anew. Throws Error as the constructor does. */
  replace(pem: string | undefined): void {
    this.#certificates = pem === undefined ? [] : certificatesOf(pem);
    this.#signed = new WeakMap();
  }

  /** Whether one of them signed the certificate or one that it hangs on. TLS has looked at validity and purpose. */
  signed(certificate: PeerCertificate): boolean {
    let signed = this.#signed.get(certificate);
    if (signed === undefined) {
      signed = certificate.verified && this.#leadsHere(certificate.chain);
      this.#signed.set(certificate, signed);
    }
    return signed;
  }

  #leadsHere(chain: readonly Buffer[]): boolean {
    const certificates = chain.map((der) => new X509Certificate(der));
    for (let i = 0; i < certificates.length; i++) {
      const one = certificates[i] as X509Certificate;
      const isOurs = this.#certificates.some(
        (authority) => one.checkIssued(authority) && one.verify(authority.publicKey),
      );
      if (isOurs) return true;
      const next = certificates[i + 1];
      if (next === undefined || !next.ca || !one.checkIssued(next) || !one.verify(next.publicKey))
        return false;
    }
    return false;
  }
}

function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('there is no certificate in it');
  return blocks.map((block) => new X509Certificate(block));
}
