import { objectsAt, textAt, textsAt } from '#api/builtin/read.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import {
  identityTransformer,
  keyLengths,
  type ProviderName,
  type Transformer,
  transformerOf,
} from './transformers.ts';

/** The providers of some resources: the first one writes, all read. */
export interface EncryptionRule {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group), `*.*`. */
  readonly resources: readonly string[];
  readonly transformers: readonly Transformer[];
}

const apiVersions: ReadonlySet<unknown> = new Set(['apiserver.config.k8s.io/v1', 'v1']);

/**
 * apiserver.config.k8s.io EncryptionConfiguration, YAML or JSON (KUBERNETES.md O5). Throws Error naming the field of
 * what cannot be honoured; never with a key in its text.
 */
export function parseEncryptionConfiguration(text: string): readonly EncryptionRule[] {
  const { value } = decodeYaml(Buffer.from(text));
  if (!isJsonObject(value) || value['kind'] !== 'EncryptionConfiguration') {
    throw new Error('kind: must be EncryptionConfiguration');
  }
  if (!apiVersions.has(value['apiVersion'])) {
    throw new Error('apiVersion: must be apiserver.config.k8s.io/v1');
  }
  const entries = objectsAt(value, 'resources');
  if (entries.length === 0) throw new Error('resources: at least one entry is required');
  const rules = entries.map((entry, i) => ruleOf(entry, `resources[${i}]`));
  checkReachable(rules);
  return rules;
}

function ruleOf(entry: JsonObject, field: string): EncryptionRule {
  const resources = textsAt(entry, 'resources');
  if (resources.length === 0) throw new Error(`${field}.resources: at least one is required`);
  resources.forEach((resource, i) => {
    const at = `${field}.resources[${i}]`;
    if (resource === '*') throw new Error(`${at}: use '*.' for the core group, '*.*' for everything`);
    if (!/^(?:\*|[a-z0-9-]+)(?:\.(?:\*|[a-z0-9.-]*))?$/.test(resource) || /^[^*]+\.\*$/.test(resource)) {
      throw new Error(`${at}: ${resource} is no resource, resource.group, *.group, '*.' or '*.*'`);
    }
    if (resource.endsWith('.') && !resource.startsWith('*')) {
      throw new Error(`${at}: a resource of the core group is written without a dot`);
    }
  });
  const providers = objectsAt(entry, 'providers');
  if (providers.length === 0) throw new Error(`${field}.providers: at least one is required`);
  const transformers = providers.flatMap((one, i) => transformersOf(one, `${field}.providers[${i}]`));
  return { resources, transformers };
}

function transformersOf(provider: JsonObject, field: string): Transformer[] {
  const names = Object.keys(provider);
  const [name = ''] = names;
  if (names.length !== 1) throw new Error(`${field}: names exactly one provider`);
  if (name === 'identity') return [identityTransformer];
  if (name === 'kms') {
    throw new Error(
      `${field}.kms: is not supported; use aesgcm, secretbox or aescbc with keys of the operator's`,
    );
  }
  if (!Object.hasOwn(keyLengths, name)) throw new Error(`${field}.${name}: is no known provider`);
  return keysOf(provider, name as ProviderName, field);
}

function keysOf(provider: JsonObject, name: ProviderName, field: string): Transformer[] {
  const keys = objectsAt(provider, name, 'keys');
  if (keys.length === 0) throw new Error(`${field}.${name}.keys: at least one is required`);
  const seen = new Set<string>();
  return keys.map((key, i) => {
    const at = `${field}.${name}.keys[${i}]`;
    const keyName = textAt(key, 'name');
    if (keyName === '' || keyName.includes(':')) throw new Error(`${at}.name: is required, without a colon`);
    if (seen.has(keyName)) throw new Error(`${at}.name: ${keyName} stands twice`);
    seen.add(keyName);
    const text = textAt(key, 'secret').trim();
    const secret = Buffer.from(text, 'base64');
    if (secret.toString('base64') !== text) throw new Error(`${at}.secret: is not base64`);
    if (!keyLengths[name].includes(secret.length)) {
      throw new Error(`${at}.secret: must be ${keyLengths[name].join(', ')} bytes, not ${secret.length}`);
    }
    return transformerOf(name, keyName, secret);
  });
}

/** A rule behind one that takes everything of its resources would never be asked: the operator meant something else. */
function checkReachable(rules: readonly EncryptionRule[]): void {
  const seen = new Set<string>();
  for (const [i, { resources }] of rules.entries()) {
    for (const resource of resources) {
      const group = resource.includes('.') ? resource.slice(resource.indexOf('.') + 1) : '';
      if (seen.has(resource) || seen.has(`*.${group}`) || seen.has('*.*')) {
        throw new Error(`resources[${i}]: ${resource} is covered by an entry before it`);
      }
    }
    for (const resource of resources) seen.add(resource);
  }
}
