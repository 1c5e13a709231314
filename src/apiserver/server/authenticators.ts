import type { TokenAuthenticator } from '../authn/authenticator.ts';
import { CertificateAuthorities } from '../authn/certificate-authorities.ts';
import { ComponentTokens } from '../authn/component-tokens.ts';
import type { ForeignAuthentication } from '../authn/foreign-authentication.ts';
import { SigningKey } from '../authn/jwt.ts';
import type { ServiceAccountTokens } from '../authn/service-account-tokens.ts';
import { TokenFileAuthenticator } from '../authn/token-file.ts';
import { UnionAuthenticator } from '../authn/union-authenticator.ts';
import { X509Authenticator } from '../authn/x509.ts';
import type { ServerMetrics } from '../server-metrics.ts';
import type { ApiServerOptions } from './options.ts';

/** Who is asked for a request's user: the proxy in front, if there is one, then certificates, then tokens, in their order. */
export function createAuthenticator(
  { pki, tokenFile, allowsAnonymous, anonymousPaths }: ApiServerOptions,
  serviceAccountTokens: ServiceAccountTokens,
  issuers: readonly TokenAuthenticator[],
  foreign: ForeignAuthentication | undefined,
  { certificateLifetimes }: ServerMetrics,
): UnionAuthenticator {
  const tokens: TokenAuthenticator[] = [
    new ComponentTokens([new SigningKey(pki.serviceAccountKey)]),
    serviceAccountTokens,
    ...issuers,
  ];
  if (tokenFile !== undefined)
    tokens.unshift(new TokenFileAuthenticator(tokenFile, serviceAccountTokens.apiAudiences));
  const { authenticators = [] } = foreign ?? {};
  // Others than the server's own authority may have signed a certificate only where others are known.
  const own = authenticators.length === 0 ? undefined : new CertificateAuthorities(pki.ca.certificatePem);
  return new UnionAuthenticator({
    authenticators: [
      ...authenticators,
      new X509Authenticator(Date.now, own, undefined, certificateLifetimes),
    ],
    tokens,
    allowsAnonymous,
    anonymousPaths,
  });
}
