import { objectAt, objectsAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';

/** One `jwt` entry of an AuthenticationConfiguration (KUBERNETES.md U1), without CEL expressions. */
export interface JwtIssuer {
  readonly url: string;
  readonly discoveryUrl: string | undefined;
  readonly audiences: readonly string[];
  readonly certificateAuthority: string | undefined;
  readonly username: ClaimMapping;
  readonly groups: ClaimMapping | undefined;
  /** Claim that becomes the user's uid. */
  readonly uidClaim: string | undefined;
  /** Claims that must have exactly these values. */
  readonly requiredClaims: ReadonlyMap<string, string>;
}

export interface ClaimMapping {
  readonly claim: string;
  readonly prefix: string;
}

const apiVersions: ReadonlySet<unknown> = new Set([
  'apiserver.config.k8s.io/v1',
  'apiserver.config.k8s.io/v1beta1',
]);
const issuersMax = 64;

/**
 * The issuers of apiserver.config.k8s.io AuthenticationConfiguration, YAML or JSON. Throws Error naming the field of
 * anything that cannot be honoured: what would be ignored could let in whom it is to keep out.
 */
export function parseAuthenticationConfiguration(text: string): readonly JwtIssuer[] {
  const { value } = decodeYaml(Buffer.from(text));
  if (!isJsonObject(value) || value['kind'] !== 'AuthenticationConfiguration') {
    throw new Error('kind: must be AuthenticationConfiguration');
  }
  if (!apiVersions.has(value['apiVersion']))
    throw new Error('apiVersion: must be apiserver.config.k8s.io/v1');
  if (value['anonymous'] !== undefined) throw new Error('anonymous: is not supported');
  const entries = objectsAt(value, 'jwt');
  if (entries.length > issuersMax) throw new Error(`jwt: at most ${issuersMax} issuers`);
  const issuers = entries.map((entry, i) => issuerOf(entry, `jwt[${i}]`));
  const urls = new Set(issuers.map(({ url }) => url));
  if (urls.size !== issuers.length) throw new Error('jwt: each issuer.url stands once');
  return issuers;
}

function issuerOf(entry: JsonObject, field: string): JwtIssuer {
  const url = textAt(entry, 'issuer', 'url');
  if (!url.startsWith('https://')) throw new Error(`${field}.issuer.url: must be an https URL`);
  const discoveryUrl = textAt(entry, 'issuer', 'discoveryURL');
  if (discoveryUrl !== '' && !discoveryUrl.startsWith('https://')) {
    throw new Error(`${field}.issuer.discoveryURL: must be an https URL`);
  }
  const audiences = textsAt(entry, 'issuer', 'audiences');
  if (audiences.length === 0 || audiences.includes('')) {
    throw new Error(`${field}.issuer.audiences: at least one is required`);
  }
  refuseExpressions(entry, field);
  const username = mappingOf(entry, field, 'username');
  if (username === undefined) throw new Error(`${field}.claimMappings.username.claim: is required`);
  const requiredClaims = new Map<string, string>();
  for (const rule of objectsAt(entry, 'claimValidationRules')) {
    requiredClaims.set(textAt(rule, 'claim'), textAt(rule, 'requiredValue'));
  }
  return {
    url,
    discoveryUrl: discoveryUrl || undefined,
    audiences,
    certificateAuthority: textAt(entry, 'issuer', 'certificateAuthority') || undefined,
    username,
    groups: mappingOf(entry, field, 'groups'),
    uidClaim: textAt(entry, 'claimMappings', 'uid', 'claim') || undefined,
    requiredClaims,
  };
}

function mappingOf(entry: JsonObject, field: string, which: string): ClaimMapping | undefined {
  const mapping = objectAt(entry, 'claimMappings', which);
  const claim = textAt(mapping, 'claim');
  if (mapping === undefined || claim === '') return undefined;
  // Kubernetes wants it to be said, so that nobody leaves it out by mistake.
  if (typeof mapping['prefix'] !== 'string') {
    throw new Error(`${field}.claimMappings.${which}.prefix: is required; it may be empty`);
  }
  return { claim, prefix: mapping['prefix'] };
}

function refuseExpressions(entry: JsonObject, field: string): void {
  const refused = (what: string) => new Error(`${field}.${what}: CEL expressions are not supported`);
  for (const which of ['username', 'groups', 'uid']) {
    const expression = valueAt(entry, 'claimMappings', which, 'expression');
    if (expression !== undefined) throw refused(`claimMappings.${which}.expression`);
  }
  if (objectsAt(entry, 'claimMappings', 'extra').length > 0) throw refused('claimMappings.extra');
  if (objectsAt(entry, 'userValidationRules').length > 0) throw refused('userValidationRules');
  objectsAt(entry, 'claimValidationRules').forEach((rule, i) => {
    if (rule['expression'] !== undefined) throw refused(`claimValidationRules[${i}].expression`);
  });
}
