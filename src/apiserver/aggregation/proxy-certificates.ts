import { LRUCache } from 'lru-cache';
import { frontProxyAuthority } from '../pki/front-proxy.ts';
import { type CertificateAuthority, type CertificatePair, issueClientCertificate } from '../pki/pki.ts';

/** Workspaces whose certificate is kept; others get one anew. */
const certificatesMax = 10_000;
const certificateDays = 30;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * The client certificates of the aggregator (KUBERNETES.md O1). Each workspace has a name of its own, so that an API
 * server that serves one workspace believes nothing that another workspace's users, or those whom they impersonate, are
 * said to be.
 */
export class ProxyCertificates {
  /** What API servers behind APIServices verify the aggregator's certificate with, PEM. */
  readonly authorityPem: string;
  readonly #authority: CertificateAuthority;
  readonly #issued = new LRUCache<string, CertificatePair>({
    max: certificatesMax,
    ttl: (certificateDays / 2) * dayMs,
  });

  constructor(serverCa: CertificateAuthority) {
    this.#authority = frontProxyAuthority(serverCa);
    this.authorityPem = this.#authority.certificatePem;
  }

  /** Valid for half a month at least. */
  of(clusterId: string): CertificatePair {
    let pair = this.#issued.get(clusterId);
    if (pair === undefined) {
      const commonName = proxyUserName(clusterId);
      pair = issueClientCertificate(this.#authority, {
        commonName,
        organizations: [],
        days: certificateDays,
      });
      this.#issued.set(clusterId, pair);
    }
    return pair;
  }
}

/** CN of the certificate that the aggregator shows in the name of a workspace. */
export function proxyUserName(clusterId: string): string {
  return `system:cellplane:aggregator:${clusterId}`;
}
