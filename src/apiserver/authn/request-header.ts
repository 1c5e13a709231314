import type { UserInfo } from '../request/user.ts';
import { type Authenticator, type Credentials, unauthorized } from './authenticator.ts';
import { CertificateAuthorities } from './certificate-authorities.ts';
import type { ForeignUsers } from './foreign-users.ts';
import { withAuthenticated } from './x509.ts';

/** Who may say in headers who asks, and in which (the flags `--requestheader-…` of kube-apiserver). */
export interface RequestHeaderConfig {
  /** PEM. */
  readonly clientCaPem: string;
  /** Common names of the proxies; empty: any that the authority signed. */
  readonly allowedNames: readonly string[];
  readonly usernameHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraHeaderPrefixes: readonly string[];
}

/**
 * As in DelegatingAuthenticationOptions (k8s.io/apiserver, pkg/server/options/authentication.go): no header tells a uid unless
 * the proxy is said to set one, since API servers before 1.32 pass on the one that their client sent.
 */
export const defaultRequestHeaders = {
  usernameHeaders: ['X-Remote-User'],
  uidHeaders: [],
  groupHeaders: ['X-Remote-Group'],
  extraHeaderPrefixes: ['X-Remote-Extra-'],
} as const;

/**
 * KUBERNETES.md U1, O1: a proxy with a certificate of the right authority says in headers who asks. Without such a
 * certificate the headers mean nothing.
 */
export class RequestHeaderAuthenticator implements Authenticator {
  readonly readsHeaders = true;
  readonly #authorities: CertificateAuthorities;
  readonly #foreign: ForeignUsers;
  #config: RequestHeaderConfig | undefined;

  /** `config` undefined: headers mean nothing, until one is given. Throws Error for authorities that cannot be read. */
  constructor(config: RequestHeaderConfig | undefined, foreign: ForeignUsers) {
    this.#authorities = new CertificateAuthorities(config?.clientCaPem);
    this.#config = config === undefined ? undefined : lowerCased(config);
    this.#foreign = foreign;
  }

  /** Takes another configuration from now on. Throws Error for authorities that cannot be read. */
  replace(config: RequestHeaderConfig | undefined): void {
    this.#authorities.replace(config?.clientCaPem);
    this.#config = config === undefined ? undefined : lowerCased(config);
  }

  authenticate({ certificate, rawHeaders }: Credentials): UserInfo | undefined {
    if (this.#config === undefined || certificate === undefined || rawHeaders === undefined) return undefined;
    const { allowedNames, usernameHeaders, uidHeaders, groupHeaders, extraHeaderPrefixes } = this.#config;
    const name = firstOf(rawHeaders, usernameHeaders);
    if (name === '' || !this.#authorities.signed(certificate)) return undefined;
    const now = Date.now();
    if (now < certificate.notBeforeMs || now > certificate.notAfterMs) {
      throw unauthorized('the certificate of the proxy is expired or not yet valid');
    }
    if (allowedNames.length > 0 && !allowedNames.includes(certificate.commonName ?? '')) {
      throw unauthorized('the certificate of the proxy has a name that is not allowed');
    }
    const uid = firstOf(rawHeaders, uidHeaders);
    return this.#foreign.admit({
      name,
      ...(uid === '' ? {} : { uid }),
      groups: withAuthenticated(valuesOf(rawHeaders, (header) => groupHeaders.includes(header))),
      extra: extraOf(rawHeaders, extraHeaderPrefixes),
    });
  }
}

function lowerCased(config: RequestHeaderConfig): RequestHeaderConfig {
  const lower = (texts: readonly string[]) => texts.map((text) => text.toLowerCase());
  return {
    ...config,
    usernameHeaders: lower(config.usernameHeaders),
    uidHeaders: lower(config.uidHeaders),
    groupHeaders: lower(config.groupHeaders),
    extraHeaderPrefixes: lower(config.extraHeaderPrefixes),
  };
}

/** The first header of the first name that has one. */
function firstOf(rawHeaders: readonly string[], names: readonly string[]): string {
  for (const name of names) {
    const [value = ''] = valuesOf(rawHeaders, (header) => header === name);
    if (value !== '') return value;
  }
  return '';
}

/** From the headers as sent: joined ones could not be told from a group with a comma in its name. */
function valuesOf(rawHeaders: readonly string[], wants: (header: string) => boolean): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (wants((rawHeaders[i] as string).toLowerCase())) values.push(utf8(rawHeaders[i + 1] as string));
  }
  return values;
}

function extraOf(
  rawHeaders: readonly string[],
  prefixes: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const extra = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = (rawHeaders[i] as string).toLowerCase();
    const prefix = prefixes.find((one) => header.startsWith(one));
    if (prefix === undefined) continue;
    const key = unescaped(header.slice(prefix.length));
    extra.set(key, [...(extra.get(key) ?? []), utf8(rawHeaders[i + 1] as string)]);
  }
  return extra;
}

function unescaped(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch {
    return key;
  }
}

/** Node reads headers as latin-1; Go and we send UTF-8. */
function utf8(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}
