import { X509Certificate } from 'node:crypto';
import { clientCertificate, type TestPki } from '../../http/testing/test-server.ts';
import type { PeerCertificate } from '../authenticator.ts';

/** The verified certificate of a peer, in no organization, with its authority behind it. */
export function peerOf(pki: TestPki, commonName: string): PeerCertificate {
  const leaf = new X509Certificate(clientCertificate(pki, commonName, []).certificatePem);
  return {
    verified: true,
    commonName,
    organizations: [],
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
    fingerprint: 'ab',
    chain: [leaf.raw, new X509Certificate(pki.ca.certificatePem).raw],
  };
}
