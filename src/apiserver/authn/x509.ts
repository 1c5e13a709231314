import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { allAuthenticated, type UserInfo } from '../request/user.ts';
import { type Authenticator, type Credentials, type PeerCertificate, unauthorized } from './authenticator.ts';
import type { CertificateAuthorities } from './certificate-authorities.ts';

/** Key of the extra by which audit tells which credential was used. */
export const credentialIdExtra = 'authentication.kubernetes.io/credential-id';

/**
 * KUBERNETES.md U1: the certificate's CN is the user, each O a group. TLS has verified the chain; the validity is looked
 * at again, because connections live long. The user is made once a certificate.
 */
export class X509Authenticator implements Authenticator {
  readonly #users = new WeakMap<PeerCertificate, UserInfo>();
  readonly #now: () => number;
  readonly #authorities: CertificateAuthorities | undefined;
  readonly #admit: (user: UserInfo) => UserInfo;
  readonly #lifetimes: { observe(seconds: number): void } | undefined;

  /**
   * `authorities`: whose certificates these are, where TLS verifies against others beside them (a front proxy's, which
   * name no users). Absent: what TLS has verified is theirs. `admit`: what their users count as here. `lifetimes`: is
   * told with each request how long its certificate is still valid.
   */
  constructor(
    now: () => number = Date.now,
    authorities?: CertificateAuthorities,
    admit: (user: UserInfo) => UserInfo = (user) => user,
    lifetimes?: { observe(seconds: number): void },
  ) {
    this.#lifetimes = lifetimes;
    this.#now = now;
    this.#authorities = authorities;
    this.#admit = admit;
  }

  get readsHeaders(): boolean {
    return this.#authorities !== undefined;
  }

  authenticate({ certificate }: Credentials): UserInfo | undefined {
    if (certificate === undefined) return undefined;
    if (!certificate.verified) throw unauthorized('client certificate is not signed by a known authority');
    const now = this.#now();
    if (now < certificate.notBeforeMs || now > certificate.notAfterMs) {
      throw unauthorized('client certificate is expired or not yet valid');
    }
    this.#lifetimes?.observe((certificate.notAfterMs - now) / 1_000);
    // Asked with each request: connections outlive authorities, which are replaced.
    if (this.#authorities !== undefined && !this.#authorities.signed(certificate)) {
      throw unauthorized('client certificate is not signed by a known authority');
    }
    const known = this.#users.get(certificate);
    if (known !== undefined) return known;
    if (certificate.commonName === undefined || certificate.commonName === '') return undefined;
    const user = this.#admit({
      name: certificate.commonName,
      groups: withAuthenticated(certificate.organizations),
      extra: new Map([[credentialIdExtra, [`X509SHA256=${certificate.fingerprint}`]]]),
    });
    this.#users.set(certificate, user);
    return user;
  }
}

/** Every user but the anonymous one is in `system:authenticated`. */
export function withAuthenticated(groups: readonly string[]): readonly string[] {
  return groups.includes(allAuthenticated) ? groups : [...groups, allAuthenticated];
}

/** Reads a connection's client certificate; undefined when the client sent none. */
export function peerCertificateOf(socket: TLSSocket, withChain: boolean): PeerCertificate | undefined {
  const certificate = socket.getPeerCertificate(false);
  // Without a certificate, and after the connection has ended, it is null or an object without anything in it.
  if (certificate?.fingerprint256 === undefined) return undefined;
  const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] };
  return {
    verified: socket.authorized,
    // Of several common names none is the user's: ambiguity names nobody.
    commonName: typeof CN === 'string' ? CN : undefined,
    organizations: O === undefined ? [] : typeof O === 'string' ? [O] : O,
    notBeforeMs: Date.parse(certificate.valid_from),
    notAfterMs: Date.parse(certificate.valid_to),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    chain: withChain ? chainOf(socket) : noChain,
  };
}

const noChain: readonly Buffer[] = [];
/** Longer chains are cut: no public-key infrastructure needs them. */
const chainMax = 10;

/** The chain that the client sent, with the authority at its end where that is known. */
function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain: Buffer[] = [];
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (at?.raw !== undefined && chain.length < chainMax) {
    chain.push(at.raw);
    // The last one names itself as its issuer.
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}
