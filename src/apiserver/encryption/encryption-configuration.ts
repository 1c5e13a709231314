import { objectsAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import { parseGoDuration } from '#apimachinery/cel/time.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KmsSpec } from './kms-service.ts';
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

/** A configuration whose KMS plugins are yet to be opened. */
export interface EncryptionConfiguration {
  readonly kms: readonly KmsSpec[];
  /** `plugins`: all of `kms`, by name. */
  rules(plugins: ReadonlyMap<string, Transformer>): readonly EncryptionRule[];
}

interface RuleSpec {
  readonly resources: readonly string[];
  readonly providers: readonly (Transformer | KmsSpec)[];
}

const kmsTimeoutMsDefault = 3_000;

const apiVersions: ReadonlySet<unknown> = new Set(['apiserver.config.k8s.io/v1', 'v1']);

/**
 * apiserver.config.k8s.io EncryptionConfiguration, YAML or JSON (KUBERNETES.md O5). Throws Error naming the field of
 * what cannot be honoured; never with a key in its text.
 */
export function parseEncryptionConfiguration(text: string): EncryptionConfiguration {
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
  const kms = rules.flatMap(({ providers }) => providers.filter(isKms));
  const twice = kms.find(({ name }, i) => kms.findIndex((one) => one.name === name) < i);
  if (twice !== undefined) throw new Error(`duplicate KMS provider name ${twice.name}, names must be unique`);
  return {
    kms,
    rules: (plugins) =>
      rules.map(({ resources, providers }) => ({
        resources,
        transformers: providers.map((one) => (isKms(one) ? pluginOf(one, plugins) : one)),
      })),
  };
}

function isKms(provider: Transformer | KmsSpec): provider is KmsSpec {
  return 'socketPath' in provider;
}

function pluginOf({ name }: KmsSpec, plugins: ReadonlyMap<string, Transformer>): Transformer {
  const plugin = plugins.get(name);
  if (plugin === undefined) throw new Error(`KMS provider ${name} is not open`);
  return plugin;
}

function ruleOf(entry: JsonObject, field: string): RuleSpec {
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
  return {
    resources,
    providers: providers.flatMap((one, i) => providersOf(one, `${field}.providers[${i}]`)),
  };
}

function providersOf(provider: JsonObject, field: string): (Transformer | KmsSpec)[] {
  const names = Object.keys(provider);
  const [name = ''] = names;
  if (names.length !== 1) throw new Error(`${field}: names exactly one provider`);
  if (name === 'identity') return [identityTransformer];
  if (name === 'kms') return [kmsOf(provider, `${field}.kms`)];
  if (!Object.hasOwn(keyLengths, name)) throw new Error(`${field}.${name}: is no known provider`);
  return keysOf(provider, name as ProviderName, field);
}

/** Of version 2 alone: version 1 is switched off in Kubernetes too. */
function kmsOf(provider: JsonObject, field: string): KmsSpec {
  const apiVersion = textAt(provider, 'kms', 'apiVersion');
  if (apiVersion !== 'v2') {
    throw new Error(
      `${field}.apiVersion: unsupported apiVersion ${apiVersion || 'v1'} for KMS provider, only v2 is supported`,
    );
  }
  const name = textAt(provider, 'kms', 'name');
  if (name === '') throw new Error(`${field}.name: is required`);
  if (name.includes(':')) {
    throw new Error(`${field}.name: invalid KMS provider name ${name}, name must not contain ':'`);
  }
  if (valueAt(provider, 'kms', 'cachesize') !== undefined) {
    throw new Error(`${field}.cachesize: cachesize is not supported in v2`);
  }
  const endpoint = textAt(provider, 'kms', 'endpoint');
  const socketPath = /^unix:\/\/(\/[^@].*)$/.exec(endpoint)?.[1];
  if (socketPath === undefined) {
    throw new Error(`${field}.endpoint: must be a unix socket, such as unix:///var/run/kms/plugin.sock`);
  }
  const given = valueAt(provider, 'kms', 'timeout');
  const nanoseconds = given === undefined ? undefined : parseGoDuration(String(given));
  const timeoutMs = given === undefined ? kmsTimeoutMsDefault : Number((nanoseconds ?? 0n) / 1_000_000n);
  if (timeoutMs <= 0) throw new Error(`${field}.timeout: should be a positive value, such as 3s`);
  return { name, socketPath, timeoutMs };
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
function checkReachable(rules: readonly RuleSpec[]): void {
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
