import { objectAt, objectsAt, textAt, valueAt } from '#api/builtin/read.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { type KnownFields, refuseUnknownFields } from '../known-fields.ts';
import { conditionsMax, WebhookConditions } from './webhook-conditions.ts';

/** One authorizer of the chain, in its place. */
export type AuthorizerSpec =
  | { readonly type: 'RBAC' }
  | {
      readonly type: 'Webhook';
      readonly name: string;
      readonly kubeconfigFile: string;
      readonly allowedMs: number;
      readonly refusedMs: number;
      readonly timeoutMs: number;
      readonly onFailure: 'noOpinion' | 'deny';
      readonly conditions: WebhookConditions;
    };

const apiVersions: ReadonlySet<unknown> = new Set([
  'apiserver.config.k8s.io/v1',
  'apiserver.config.k8s.io/v1beta1',
]);
const knownFields: KnownFields = {
  apiVersion: true,
  kind: true,
  authorizers: {
    type: true,
    name: true,
    webhook: {
      authorizedTTL: true,
      cacheAuthorizedRequests: true,
      unauthorizedTTL: true,
      cacheUnauthorizedRequests: true,
      timeout: true,
      subjectAccessReviewVersion: true,
      matchConditionSubjectAccessReviewVersion: true,
      failurePolicy: true,
      connectionInfo: { type: true, kubeConfigFile: true },
      matchConditions: { expression: true },
    },
  },
};
const authorizersMax = 16;
const timeoutMaxMs = 30_000;
const defaultAllowedMs = 5 * 60_000;
const defaultRefusedMs = 30_000;

/**
 * The authorizers of apiserver.config.k8s.io AuthorizationConfiguration, YAML or JSON (KUBERNETES.md U5): webhooks and
 * RBAC in their order. Throws Error naming the field of what cannot be honoured.
 */
export function parseAuthorizationConfiguration(text: string): readonly AuthorizerSpec[] {
  const { value } = decodeYaml(Buffer.from(text));
  if (!isJsonObject(value) || value['kind'] !== 'AuthorizationConfiguration') {
    throw new Error('kind: must be AuthorizationConfiguration');
  }
  if (!apiVersions.has(value['apiVersion'])) {
    throw new Error('apiVersion: must be apiserver.config.k8s.io/v1');
  }
  refuseUnknownFields(value, knownFields);
  const entries = objectsAt(value, 'authorizers');
  if (entries.length === 0) throw new Error('authorizers: at least one is required');
  if (entries.length > authorizersMax) throw new Error(`authorizers: at most ${authorizersMax}`);
  const specs = entries.map((entry, i) => specOf(entry, `authorizers[${i}]`));
  if (specs.filter(({ type }) => type === 'RBAC').length !== 1) {
    throw new Error('authorizers: RBAC stands once; without it nobody could be given rights in a workspace');
  }
  const names = entries.map((entry) => textAt(entry, 'name'));
  if (new Set(names).size !== names.length) throw new Error('authorizers: each name stands once');
  return specs;
}

function specOf(entry: JsonObject, field: string): AuthorizerSpec {
  const name = textAt(entry, 'name');
  if (name === '') throw new Error(`${field}.name: is required`);
  const type = textAt(entry, 'type');
  if (type === 'RBAC') return { type };
  if (type !== 'Webhook')
    throw new Error(`${field}.type: ${type || 'nothing'} is not supported; RBAC or Webhook`);
  const webhook = objectAt(entry, 'webhook');
  if (webhook === undefined) throw new Error(`${field}.webhook: is required`);
  return webhookOf(name, webhook, `${field}.webhook`);
}

function webhookOf(name: string, webhook: JsonObject, field: string): AuthorizerSpec {
  if (textAt(webhook, 'subjectAccessReviewVersion') !== 'v1') {
    throw new Error(`${field}.subjectAccessReviewVersion: must be v1`);
  }
  const failurePolicy = textAt(webhook, 'failurePolicy');
  if (failurePolicy !== 'NoOpinion' && failurePolicy !== 'Deny') {
    throw new Error(`${field}.failurePolicy: must be NoOpinion or Deny`);
  }
  const connection = textAt(webhook, 'connectionInfo', 'type');
  if (connection !== 'KubeConfigFile') {
    throw new Error(
      `${field}.connectionInfo.type: ${connection || 'nothing'} is not supported; KubeConfigFile`,
    );
  }
  const kubeconfigFile = textAt(webhook, 'connectionInfo', 'kubeConfigFile');
  if (!kubeconfigFile.startsWith('/')) {
    throw new Error(`${field}.connectionInfo.kubeConfigFile: must be an absolute path`);
  }
  const timeoutMs = durationAt(webhook, 'timeout', field);
  if (timeoutMs === undefined || timeoutMs <= 0 || timeoutMs > timeoutMaxMs) {
    throw new Error(`${field}.timeout: must be above 0s and at most 30s`);
  }
  const expressions = objectsAt(webhook, 'matchConditions').map((one) => textAt(one, 'expression'));
  if (expressions.length > conditionsMax)
    throw new Error(`${field}.matchConditions: at most ${conditionsMax}`);
  const conditionVersion = textAt(webhook, 'matchConditionSubjectAccessReviewVersion');
  if (expressions.length > 0 && conditionVersion !== 'v1') {
    throw new Error(`${field}.matchConditionSubjectAccessReviewVersion: must be v1`);
  }
  const keeps = (which: string) => valueAt(webhook, which) !== false;
  return {
    type: 'Webhook',
    name,
    kubeconfigFile,
    timeoutMs,
    allowedMs: keeps('cacheAuthorizedRequests')
      ? (durationAt(webhook, 'authorizedTTL', field) ?? defaultAllowedMs)
      : 0,
    refusedMs: keeps('cacheUnauthorizedRequests')
      ? (durationAt(webhook, 'unauthorizedTTL', field) ?? defaultRefusedMs)
      : 0,
    onFailure: failurePolicy === 'Deny' ? 'deny' : 'noOpinion',
    conditions: new WebhookConditions(expressions, field),
  };
}

/** Go's durations: `1m30s`, `500ms`; undefined when absent. */
function durationAt(from: JsonObject, name: string, field: string): number | undefined {
  const text = textAt(from, name);
  if (text === '') return undefined;
  const units: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) throw new Error(`${field}.${name}: is no duration`);
  let total = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(number) * (units[unit] ?? 0);
  }
  return total;
}
