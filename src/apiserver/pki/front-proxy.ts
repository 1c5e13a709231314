import { createECDH, createPrivateKey, hkdfSync, type KeyObject, X509Certificate } from 'node:crypto';
import { createCertificate } from './certificate.ts';
import type { CertificateAuthority } from './pki.ts';

const curve = 'prime256v1';
const purpose = 'cellplane front-proxy authority';
const name = { commonName: 'cellplane-front-proxy-ca' };

/**
 * The authority of the certificates by which this server shows itself to the API servers behind APIServices
 * (KUBERNETES.md O1). It is another one than the server's own: whoever holds such a certificate is believed about who
 * asks, and nothing here believes it. Its key follows from the server's CA key (RFC 5869), so that servers with one CA
 * have one front-proxy authority too, and no file more is to be copied. It lives as long as the CA's certificate.
 */
export function frontProxyAuthority(ca: CertificateAuthority): CertificateAuthority {
  const key = derivedKey(ca.key);
  const certificatePem = createCertificate({
    subject: name,
    subjectKey: key,
    issuer: name,
    issuerKey: key,
    notBefore: new Date(new X509Certificate(ca.certificatePem).validFrom),
    notAfter: ca.notAfter,
    isCertificateAuthority: true,
  });
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { name, certificatePem, keyPem, key, notAfter: ca.notAfter };
}

/** P-256. One in 2³² outputs of HKDF is no scalar of the curve: then the next one is taken. */
function derivedKey(source: KeyObject): KeyObject {
  const secret = source.export({ type: 'pkcs8', format: 'der' });
  for (let round = 0; ; round++) {
    const d = Buffer.from(hkdfSync('sha256', secret, '', `${purpose} ${round}`, 32));
    const ecdh = createECDH(curve);
    try {
      ecdh.setPrivateKey(d);
    } catch {
      continue;
    }
    const point = ecdh.getPublicKey();
    return createPrivateKey({
      format: 'jwk',
      key: {
        kty: 'EC',
        crv: 'P-256',
        d: d.toString('base64url'),
        x: point.subarray(1, 33).toString('base64url'),
        y: point.subarray(33).toString('base64url'),
      },
    });
  }
}
