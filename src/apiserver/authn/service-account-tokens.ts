import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { clusterNameExtra, serviceAccountUserPrefix } from '../authz/effective-users.ts';
import { headerOf } from '../registry/stored-object.ts';
import { allAuthenticated, type UserInfo } from '../request/user.ts';
import { type AuthenticatedToken, type TokenAuthenticator, unauthorized } from './authenticator.ts';
import { mayBeJwt, type SigningKey, unverifiedClaims, verifiedClaims } from './jwt.ts';
import { hashToken } from './token-file.ts';
import { credentialIdExtra } from './x509.ts';

/** The object that a token dies with. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node';
  readonly name: string;
  readonly uid: string;
  /** Of a Pod, where it runs: told, never asked for again (KEP-4193). Without uid: no such Node is known. */
  readonly node?: { readonly name: string; readonly uid: string | undefined } | undefined;
}

export interface IssuedToken {
  readonly token: string;
  /** Undefined: it never expires. */
  readonly expiresAtMs: number | undefined;
  /** What its users have as `credential-id`. */
  readonly credentialId: string;
}

export interface TokenGrant {
  readonly clusterId: string;
  readonly namespace: string;
  readonly name: string;
  /** The ServiceAccount's. */
  readonly uid: string;
  /** Empty: the API server's own. */
  readonly audiences: readonly string[];
  /** Undefined: it never expires; only for tokens that are bound to a Secret. */
  readonly expirationSeconds: number | undefined;
  readonly boundObject?: BoundObject | undefined;
}

export interface ServiceAccountTokenOptions {
  /** The first one signs; all verify, so that keys can be rotated. */
  readonly keys: readonly SigningKey[];
  /** `iss`: an https URL, below which `/.well-known/openid-configuration` is to be found (U2). */
  readonly issuer: string;
  /** Issuers that signed before: their tokens are good until they expire. */
  readonly formerIssuers?: readonly string[] | undefined;
  /** What the API server calls itself in `aud`. Default: the issuers. */
  readonly apiAudiences?: readonly string[] | undefined;
  /** Where the service accounts lie: a token lives no longer than they. */
  readonly cache: CachedStorage;
  readonly now?: (() => number) | undefined;
  /** Verified tokens that are remembered by hash. Default 10,000. */
  readonly verifiedTokensMax?: number | undefined;
}

/** A token whose signature and times are right; whether its objects still exist is asked each time. */
interface VerifiedToken {
  readonly user: UserInfo;
  readonly audiences: readonly string[];
  readonly grant: TokenGrant;
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

/** Clocks of several servers may differ by this much. */
const leewayMs = 10_000;
const boundResources = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const;

/**
 * Issues and verifies service-account tokens (KUBERNETES.md U1, U2). Each says its workspace (`kubernetes.io.clusterName`,
 * KCP.md Addressing). A signature is verified once and remembered by the token's hash until it expires; that the
 * ServiceAccount and the bound object still exist with the same uid is looked up at every use.
 */
export class ServiceAccountTokens implements TokenAuthenticator {
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly #keys: readonly SigningKey[];
  readonly #issuers: ReadonlySet<unknown>;
  readonly #cache: CachedStorage;
  readonly #now: () => number;
  readonly #verified: LRUCache<string, VerifiedToken>;

  constructor(options: ServiceAccountTokenOptions) {
    this.issuer = options.issuer;
    const issuers = [options.issuer, ...(options.formerIssuers ?? [])];
    this.#issuers = new Set(issuers);
    this.apiAudiences = options.apiAudiences ?? issuers;
    this.#keys = options.keys;
    this.#cache = options.cache;
    this.#now = options.now ?? Date.now;
    this.#verified = new LRUCache({ max: options.verifiedTokensMax ?? 10_000 });
  }

  issue(grant: TokenGrant): IssuedToken {
    const issuedAt = Math.floor(this.#now() / 1000);
    const expiresAt = grant.expirationSeconds === undefined ? undefined : issuedAt + grant.expirationSeconds;
    const jti = randomUUID();
    const claims: JsonObject = {
      aud: [...(grant.audiences.length === 0 ? this.apiAudiences : grant.audiences)],
      ...(expiresAt === undefined ? {} : { exp: expiresAt }),
      iat: issuedAt,
      iss: this.issuer,
      jti,
      'kubernetes.io': {
        clusterName: grant.clusterId,
        namespace: grant.namespace,
        serviceaccount: { name: grant.name, uid: grant.uid },
        ...(grant.boundObject === undefined ? {} : boundClaims(grant.boundObject)),
      },
      nbf: issuedAt,
      sub: `${serviceAccountUserPrefix}${grant.namespace}:${grant.name}`,
    };
    const token = this.#keys[0]!.sign(claims);
    return {
      token,
      expiresAtMs: expiresAt === undefined ? undefined : expiresAt * 1000,
      credentialId: credentialIdOf(jti),
    };
  }

  authenticateToken(
    token: string,
    audiences: readonly string[],
    hash = hashToken(token),
  ): AuthenticatedToken | undefined | Promise<AuthenticatedToken> {
    const verified = this.#verify(token, hash);
    if (verified === undefined) return undefined;
    const now = this.#now();
    if (now >= verified.expiresAtMs) throw unauthorized('service account token has expired');
    if (now < verified.notBeforeMs - leewayMs) throw unauthorized('service account token is not valid yet');
    const wanted = audiences.length === 0 ? this.apiAudiences : audiences;
    const matching = wanted.filter((audience) => verified.audiences.includes(audience));
    if (matching.length === 0) throw unauthorized('service account token is not meant for this audience');
    const result = { user: verified.user, audiences: matching };
    if (this.#stillExists(verified.grant)) return result;
    const fresh = this.#cache.awaitFresh();
    if (fresh === undefined) throw gone();
    return fresh.then(() => {
      if (this.#stillExists(verified.grant)) return result;
      throw gone();
    });
  }

  /** RFC 7517 key set for `/openid/v1/jwks`. */
  jwks(): JsonObject {
    return { keys: this.#keys.map((key) => key.toJwk()) };
  }

  /** `/.well-known/openid-configuration`; `baseUrl`: where clients reach this server, without trailing slash. */
  openidConfiguration(baseUrl: string): JsonObject {
    return {
      issuer: this.issuer,
      jwks_uri: `${baseUrl}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  }

  #verify(token: string, hash: string): VerifiedToken | undefined {
    const known = this.#verified.get(hash);
    if (known !== undefined) return known;
    if (!mayBeJwt(token) || !this.#issuers.has(unverifiedClaims(token)?.['iss'])) return undefined;
    const claims = verifiedClaims(token, this.#keys);
    if (claims === undefined) throw unauthorized('service account token has a bad signature');
    const verified = fromClaims(claims);
    if (verified === undefined) throw unauthorized('service account token lacks claims');
    if (this.#now() < verified.expiresAtMs) this.#verified.set(hash, verified);
    return verified;
  }

  #stillExists(grant: TokenGrant): boolean {
    const { clusterId, namespace, boundObject } = grant;
    if (!this.#hasUid('serviceaccounts', clusterId, namespace, grant.name, grant.uid)) return false;
    if (boundObject === undefined) return true;
    const { kind, name, uid } = boundObject;
    return this.#hasUid(boundResources[kind], clusterId, kind === 'Node' ? '' : namespace, name, uid);
  }

  #hasUid(resource: string, clusterId: string, namespace: string, name: string, uid: string): boolean {
    const entry = this.#cache.peek(objectKey({ group: '', resource, clusterId, namespace, name }));
    return entry !== undefined && headerOf(entry).uid === uid;
  }
}

/** The identity of a service account: also what impersonating one gives. */
export function serviceAccountGroups(namespace: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, allAuthenticated];
}

/** `system:serviceaccount:<namespace>:<name>` → its parts; undefined for any other name. */
export function parseServiceAccountUser(name: string): { namespace: string; name: string } | undefined {
  if (!name.startsWith(serviceAccountUserPrefix)) return undefined;
  const parts = name.slice(serviceAccountUserPrefix.length).split(':');
  const [namespace = '', account = ''] = parts;
  return parts.length === 2 && namespace !== '' && account !== '' ? { namespace, name: account } : undefined;
}

function gone(): Error {
  return unauthorized('the service account, or the object that the token is bound to, is gone');
}

/** By which the audit log tells one token from another (KEP-4193). */
function credentialIdOf(jti: string): string {
  return `JTI=${jti}`;
}

function fromClaims(claims: JsonObject): VerifiedToken | undefined {
  const { aud, exp, nbf, jti, sub } = claims;
  const own = claims['kubernetes.io'];
  if (!isJsonObject(own) || !isJsonObject(own['serviceaccount'])) return undefined;
  const { clusterName, namespace } = own;
  const { name, uid } = own['serviceaccount'];
  if (!isText(clusterName) || !isText(namespace) || !isText(name) || !isText(uid)) return undefined;
  if (sub !== `${serviceAccountUserPrefix}${namespace}:${name}`) return undefined;
  const boundObject = boundObjectOf(own);
  if (exp === undefined ? boundObject?.kind !== 'Secret' : typeof exp !== 'number') return undefined;
  const user: UserInfo = {
    name: sub,
    uid,
    groups: serviceAccountGroups(namespace),
    extra: new Map([
      [clusterNameExtra, [clusterName]],
      ...(isText(jti) ? [[credentialIdExtra, [credentialIdOf(jti)]] as const] : []),
      ...boundExtras(boundObject),
    ]),
  };
  const audiences = Array.isArray(aud) ? aud.filter(isText) : isText(aud) ? [aud] : [];
  return {
    user,
    audiences,
    grant: {
      clusterId: clusterName,
      namespace,
      name,
      uid,
      audiences,
      expirationSeconds: undefined,
      boundObject,
    },
    notBeforeMs: typeof nbf === 'number' ? nbf * 1000 : 0,
    expiresAtMs: typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY,
  };
}

function boundClaims({ kind, name, uid, node }: BoundObject): JsonObject {
  return {
    [kind.toLowerCase()]: { name, uid },
    ...(node === undefined
      ? {}
      : { node: { name: node.name, ...(node.uid === undefined ? {} : { uid: node.uid }) } }),
  };
}

/** What the user's extra tells of a token's object (serviceaccount `ServiceAccountInfo.UserInfo`); of a Secret nothing. */
function boundExtras(bound: BoundObject | undefined): (readonly [string, readonly string[]])[] {
  const pairs: (readonly [string, readonly string[]])[] = [];
  const tell = (what: 'pod' | 'node', name: string, uid: string | undefined) => {
    pairs.push([`authentication.kubernetes.io/${what}-name`, [name]]);
    if (uid !== undefined) pairs.push([`authentication.kubernetes.io/${what}-uid`, [uid]]);
  };
  if (bound?.kind === 'Pod') tell('pod', bound.name, bound.uid);
  const node = bound?.kind === 'Node' ? bound : bound?.node;
  if (node !== undefined) tell('node', node.name, node.uid);
  return pairs;
}

function boundObjectOf(own: JsonObject): BoundObject | undefined {
  // A Pod's Node stands beside it: a token is a Node's where there is no Pod.
  for (const kind of ['Pod', 'Secret', 'Node'] as const) {
    const bound = own[kind.toLowerCase()];
    if (!isJsonObject(bound)) continue;
    const { name, uid } = bound;
    if (!isText(name) || !isText(uid)) continue;
    const node = kind === 'Pod' ? own['node'] : undefined;
    if (!isJsonObject(node) || !isText(node['name'])) return { kind, name, uid };
    return {
      kind,
      name,
      uid,
      node: { name: node['name'], uid: isText(node['uid']) ? node['uid'] : undefined },
    };
  }
  return undefined;
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
