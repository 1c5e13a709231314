import { X509Certificate } from 'node:crypto';
import { objectAt, objectsAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { type KnownFields, refuseUnknownFields } from '../known-fields.ts';
import { ClaimExpression, UserExpression } from './claim-expressions.ts';

/** One `jwt` entry of an AuthenticationConfiguration (KUBERNETES.md U1). */
export interface JwtIssuer {
  readonly url: string;
  readonly discoveryUrl: string | undefined;
  readonly audiences: readonly string[];
  readonly certificateAuthority: string | undefined;
  readonly username: TextMapping;
  readonly groups: TextMapping | undefined;
  readonly uid: { readonly claim: string } | ClaimExpression | undefined;
  readonly extra: readonly { readonly key: string; readonly value: ClaimExpression }[];
  /** Claims that must have exactly these values. */
  readonly requiredClaims: ReadonlyMap<string, string>;
  readonly claimRules: readonly Rule<ClaimExpression>[];
  readonly userRules: readonly Rule<UserExpression>[];
}

/** From a claim, with a prefix before it, or by an expression. */
export type TextMapping = ClaimMapping | ClaimExpression;

export interface ClaimMapping {
  readonly claim: string;
  readonly prefix: string;
}

interface Rule<E> {
  readonly expression: E;
  readonly message: string;
}

/** Who is authenticated, beside the server's own kinds of credentials. */
export interface AuthenticationConfiguration {
  readonly issuers: readonly JwtIssuer[];
  /** Whether requests without credentials are the anonymous user's. */
  readonly allowsAnonymous: boolean;
  /** The only paths on which they are; undefined: on all. */
  readonly anonymousPaths?: ReadonlySet<string> | undefined;
}

const mapping = { claim: true, prefix: true, expression: true } as const;
const knownFields: KnownFields = {
  apiVersion: true,
  kind: true,
  anonymous: { enabled: true, conditions: { path: true } },
  jwt: {
    issuer: {
      url: true,
      discoveryURL: true,
      certificateAuthority: true,
      audiences: true,
      audienceMatchPolicy: true,
      egressSelectorType: true,
    },
    claimValidationRules: { claim: true, requiredValue: true, expression: true, message: true },
    claimMappings: {
      username: mapping,
      groups: mapping,
      uid: { claim: true, expression: true },
      extra: { key: true, valueExpression: true },
    },
    userValidationRules: { expression: true, message: true },
  },
};

const apiVersions: ReadonlySet<unknown> = new Set([
  'apiserver.config.k8s.io/v1',
  'apiserver.config.k8s.io/v1beta1',
]);
const issuersMax = 64;
const rulesMax = 64;
const extraMax = 64;

/**
 * apiserver.config.k8s.io AuthenticationConfiguration, YAML or JSON. Throws Error naming the field of anything that
 * cannot be honoured: what would be ignored could let in whom it is to keep out.
 */
export function parseAuthenticationConfiguration(text: string): AuthenticationConfiguration {
  const { value } = decodeYaml(Buffer.from(text));
  if (!isJsonObject(value) || value['kind'] !== 'AuthenticationConfiguration') {
    throw new Error('kind: must be AuthenticationConfiguration');
  }
  if (!apiVersions.has(value['apiVersion']))
    throw new Error('apiVersion: must be apiserver.config.k8s.io/v1');
  refuseUnknownFields(value, knownFields);
  const entries = objectsAt(value, 'jwt');
  if (entries.length > issuersMax) throw new Error(`jwt: at most ${issuersMax} issuers`);
  const issuers = entries.map((entry, i) => issuerOf(entry, `jwt[${i}]`));
  refuseTwice(
    issuers.map(({ url }) => url),
    'jwt: each issuer.url stands once',
  );
  refuseTwice(
    issuers.flatMap(({ discoveryUrl }) => discoveryUrl ?? []),
    'jwt: each issuer.discoveryURL stands once',
  );
  return { issuers, ...anonymousOf(objectAt(value, 'anonymous')) };
}

function anonymousOf(
  anonymous: JsonObject | undefined,
): Pick<AuthenticationConfiguration, 'allowsAnonymous' | 'anonymousPaths'> {
  if (anonymous === undefined) return { allowsAnonymous: true };
  const allowsAnonymous = anonymous['enabled'] === true;
  const paths = objectsAt(anonymous, 'conditions').map((condition) => textAt(condition, 'path'));
  if (paths.length === 0) return { allowsAnonymous };
  if (!allowsAnonymous) throw new Error('anonymous.conditions: stand only where enabled is true');
  return { allowsAnonymous, anonymousPaths: new Set(paths) };
}

function refuseTwice(values: readonly string[], message: string): void {
  if (new Set(values).size !== values.length) throw new Error(message);
}

function checkUrl(text: string, field: string): void {
  if (!URL.canParse(text) || !text.startsWith('https://')) throw new Error(`${field}: must be an https URL`);
  const { username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '' || search !== '' || hash !== '') {
    throw new Error(`${field}: must have no user, query or fragment`);
  }
}

function checkAuthorities(pem: string, field: string): void {
  if (pem === '') return;
  const found = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    if (found.length === 0) throw new Error('it holds no certificate');
    for (const one of found) new X509Certificate(one);
  } catch (cause) {
    throw new Error(`${field}: ${(cause as Error).message}`, { cause });
  }
}

function audiencesOf(entry: JsonObject, field: string): readonly string[] {
  const audiences = textsAt(entry, 'issuer', 'audiences');
  if (audiences.length === 0 || audiences.includes('')) {
    throw new Error(`${field}.audiences: at least one is required`);
  }
  refuseTwice(audiences, `${field}.audiences: each stands once`);
  const policy = textAt(entry, 'issuer', 'audienceMatchPolicy');
  if (policy !== 'MatchAny' && (policy !== '' || audiences.length > 1)) {
    throw new Error(`${field}.audienceMatchPolicy: must be MatchAny`);
  }
  return audiences;
}

function issuerOf(entry: JsonObject, field: string): JwtIssuer {
  const url = textAt(entry, 'issuer', 'url');
  checkUrl(url, `${field}.issuer.url`);
  const discoveryUrl = textAt(entry, 'issuer', 'discoveryURL');
  if (discoveryUrl !== '') checkUrl(discoveryUrl, `${field}.issuer.discoveryURL`);
  if (discoveryUrl.replace(/\/+$/, '') === url.replace(/\/+$/, '')) {
    throw new Error(`${field}.issuer.discoveryURL: must be another than url`);
  }
  if (textAt(entry, 'issuer', 'egressSelectorType') !== '') {
    throw new Error(`${field}.issuer.egressSelectorType: is not supported; there are no egress selectors`);
  }
  const audiences = audiencesOf(entry, `${field}.issuer`);
  checkAuthorities(textAt(entry, 'issuer', 'certificateAuthority'), `${field}.issuer.certificateAuthority`);
  const username = textMappingOf(entry, field, 'username');
  if (username === undefined)
    throw new Error(`${field}.claimMappings.username: claim or expression is required`);
  const extra = extraOf(entry, `${field}.claimMappings.extra`);
  const { requiredClaims, claimRules } = claimRulesOf(entry, `${field}.claimValidationRules`);
  const userRules = rulesOf(entry, `${field}.userValidationRules`, 'userValidationRules').map(
    ({ source, message, at }) => ({ expression: new UserExpression(source, at), message }),
  );
  checkEmail(
    username,
    [...claimRules.map(({ expression }) => expression), ...extra.map(({ value }) => value)],
    field,
  );
  return {
    url,
    discoveryUrl: discoveryUrl || undefined,
    audiences,
    certificateAuthority: textAt(entry, 'issuer', 'certificateAuthority') || undefined,
    username,
    groups: textMappingOf(entry, field, 'groups'),
    uid: uidOf(entry, field),
    extra,
    requiredClaims,
    claimRules,
    userRules,
  };
}

function textMappingOf(
  entry: JsonObject,
  field: string,
  which: 'username' | 'groups',
): TextMapping | undefined {
  const mapping = objectAt(entry, 'claimMappings', which);
  const at = `${field}.claimMappings.${which}`;
  const claim = textAt(mapping, 'claim');
  const source = textAt(mapping, 'expression');
  if (mapping === undefined || (claim === '' && source === '')) return undefined;
  if (source !== '') {
    if (claim !== '' || mapping['prefix'] !== undefined) {
      throw new Error(`${at}: claim and prefix cannot stand beside an expression`);
    }
    return new ClaimExpression(source, `${at}.expression`, which === 'username' ? 'text' : 'texts');
  }
  // Kubernetes wants it to be said, so that nobody leaves it out by mistake.
  if (typeof mapping['prefix'] !== 'string') {
    throw new Error(`${at}.prefix: is required; it may be empty`);
  }
  return { claim, prefix: mapping['prefix'] };
}

function uidOf(entry: JsonObject, field: string): JwtIssuer['uid'] {
  const at = `${field}.claimMappings.uid`;
  const claim = textAt(entry, 'claimMappings', 'uid', 'claim');
  const source = textAt(entry, 'claimMappings', 'uid', 'expression');
  if (claim !== '' && source !== '') throw new Error(`${at}: either claim or expression`);
  if (source !== '') return new ClaimExpression(source, `${at}.expression`, 'text');
  return claim === '' ? undefined : { claim };
}

/** Keys that grant authority here, or are Kubernetes' own, are no issuer's to give. */
const reservedKeys = /(?:^|\.)(?:kubernetes\.io|k8s\.io|kcp\.io|cellplane\.io)\//;

function extraOf(entry: JsonObject, field: string): JwtIssuer['extra'] {
  const mappings = objectsAt(entry, 'claimMappings', 'extra');
  if (mappings.length > extraMax) throw new Error(`${field}: at most ${extraMax}`);
  const seen = new Set<string>();
  return mappings.map((one, i) => {
    const key = textAt(one, 'key');
    const at = `${field}[${i}]`;
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[a-z0-9._~!$&'()*+,;=:@%-]+$/.test(key)) {
      throw new Error(`${at}.key: must be a lower-case domain, a slash and a path`);
    }
    if (reservedKeys.test(key)) throw new Error(`${at}.key: ${key} is reserved`);
    if (seen.has(key)) throw new Error(`${at}.key: each key stands once`);
    seen.add(key);
    return {
      key,
      value: new ClaimExpression(textAt(one, 'valueExpression'), `${at}.valueExpression`, 'texts'),
    };
  });
}

function claimRulesOf(
  entry: JsonObject,
  field: string,
): { readonly requiredClaims: Map<string, string>; readonly claimRules: Rule<ClaimExpression>[] } {
  const requiredClaims = new Map<string, string>();
  const claimRules: Rule<ClaimExpression>[] = [];
  objectsAt(entry, 'claimValidationRules').forEach((rule, i) => {
    const at = `${field}[${i}]`;
    const claim = textAt(rule, 'claim');
    if ((claim === '') === (valueAt(rule, 'expression') === undefined)) {
      throw new Error(`${at}: either claim or expression`);
    }
    if (claim === '') {
      if (rule['requiredValue'] !== undefined)
        throw new Error(`${at}.requiredValue: stands with a claim only`);
      return;
    }
    if (rule['message'] !== undefined) throw new Error(`${at}.message: stands with an expression only`);
    if (requiredClaims.has(claim)) throw new Error(`${at}.claim: each stands once`);
    requiredClaims.set(claim, textAt(rule, 'requiredValue'));
  });
  for (const { source, message, at } of rulesOf(entry, field, 'claimValidationRules')) {
    claimRules.push({ expression: new ClaimExpression(source, at, 'bool'), message });
  }
  return { requiredClaims, claimRules };
}

function rulesOf(
  entry: JsonObject,
  field: string,
  which: string,
): { readonly source: string; readonly message: string; readonly at: string }[] {
  const rules = objectsAt(entry, which);
  if (rules.length > rulesMax) throw new Error(`${field}: at most ${rulesMax}`);
  return rules.flatMap((rule, i) => {
    if (rule['expression'] === undefined) return [];
    const source = textAt(rule, 'expression');
    return [{ source, message: textAt(rule, 'message'), at: `${field}[${i}].expression` }];
  });
}

/** Kubernetes' rule: a name made of an address that nobody verified is anybody's. */
function checkEmail(username: TextMapping, others: readonly ClaimExpression[], field: string): void {
  if (!(username instanceof ClaimExpression) || !/claims\.email(?!\w)/.test(username.source)) return;
  if ([username, ...others].some(({ source }) => /claims\.\??email_verified/.test(source))) return;
  throw new Error(
    `${field}.claimMappings.username.expression: claims.email_verified must be used in it, in an extra or in a claim validation rule when claims.email is`,
  );
}
