import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { objectsAt, textAt, valueAt } from '#api/builtin/read.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { coerceToSchema } from '../registry/coercion.ts';
import { servedApiVersion, settledMark, settledObjectOf, untouchedMark } from '../registry/conversion.ts';
import { encodeStored } from '../registry/encode-stored.ts';
import { storedApiVersionOf } from '../registry/stored-body.ts';
import { schemaMarkOf } from '../registry/stored-object.ts';
import { type HookClient, HookError, hookTargetOf } from '../services/hook-client.ts';

const timeoutMs = 30_000;
const answerBytesMax = 64 * 1024 * 1024;
/** Objects in one ConversionReview. */
const batchMax = 500;
/** Converted forms that are kept, by bytes. */
const keptBytesMax = 64 * 1024 * 1024;

/**
 * Objects of CRDs whose versions differ in shape (KUBERNETES.md R7, strategy Webhook): asks their webhook by
 * ConversionReview v1, many at once, and keeps what it said of stored objects. A converted entry is an entry like any
 * other, in the version that was asked for: whatever reads it needs to know nothing of conversion.
 */
export class ConversionWebhooks {
  readonly #hooks: HookClient;
  readonly #kept = new LRUCache<string, CacheEntry>({
    maxSize: keptBytesMax,
    sizeCalculation: ({ value, key }) => value.length + key.length + 128,
  });

  constructor(hooks: HookClient) {
    this.#hooks = hooks;
  }

  /** One entry in the served version; itself where it stands in it already. Rejects with ApiError 500. */
  async entry(entry: CacheEntry, served: ServedResource, clusterId: string): Promise<CacheEntry> {
    const [converted] = await this.entries([entry], served, clusterId);
    return converted as CacheEntry;
  }

  /** The entries in the served version, in their order. Rejects with ApiError 500. */
  async entries(
    entries: readonly CacheEntry[],
    served: ServedResource,
    clusterId: string,
  ): Promise<readonly CacheEntry[]> {
    const wanted = servedApiVersion(served);
    const found: (CacheEntry | undefined)[] = entries.map((entry) =>
      storedApiVersionOf(entry) === wanted ? entry : this.#kept.get(keptKey(entry, served)),
    );
    const missing = found.flatMap((entry, at) => (entry === undefined ? [at] : []));
    for (let from = 0; from < missing.length; from += batchMax) {
      const batch = missing.slice(from, from + batchMax);
      const objects = batch.map((at) => settledObjectOf(entries[at] as CacheEntry, served.definition));
      const converted = await this.convert(served.definition, clusterId, objects, wanted);
      batch.forEach((at, i) => {
        const entry = entries[at] as CacheEntry;
        const made = encoded(entry, converted[i] as KubeObject, served);
        this.#kept.set(keptKey(entry, served), made);
        found[at] = made;
      });
    }
    return found as CacheEntry[];
  }

  /** The objects in another version; the arguments are not changed. Rejects with ApiError 500. */
  async convert(
    definition: ResourceDefinition,
    clusterId: string,
    objects: readonly KubeObject[],
    apiVersion: string,
  ): Promise<readonly KubeObject[]> {
    const uid = randomUUID();
    const from = objects.map(({ apiVersion: one }) => one).find((one) => one !== apiVersion);
    if (from === undefined) return objects;
    const failed = (why: string, cause?: unknown) =>
      new ApiError(
        'InternalError',
        `conversion webhook for ${from}, Kind=${definition.kind} failed: ${why}`,
        cause === undefined ? {} : { cause },
      );
    // What stands in the version already is not sent (apiextensions webhook_converter.go).
    const sent = objects.filter((one) => one.apiVersion !== apiVersion);
    const review: JsonObject = {
      kind: 'ConversionReview',
      apiVersion: 'apiextensions.k8s.io/v1',
      request: { uid, desiredAPIVersion: apiVersion, objects: [...sent] },
    };
    let answer: unknown;
    try {
      const target = hookTargetOf(valueAt(definition.conversion, 'clientConfig'));
      const signal = new AbortController().signal;
      answer = await this.#hooks.post(target, clusterId, review, { timeoutMs, answerBytesMax, signal });
    } catch (error) {
      throw failed(error instanceof HookError ? error.message : String(error), error);
    }
    if (!isJsonObject(answer) || answer['kind'] !== 'ConversionReview') {
      throw failed('the answer is no ConversionReview');
    }
    if (textAt(answer, 'apiVersion') !== 'apiextensions.k8s.io/v1') {
      throw failed('the answer is no ConversionReview of apiextensions.k8s.io/v1');
    }
    if (textAt(answer, 'response', 'uid') !== uid)
      throw failed(`expected response.uid=${JSON.stringify(uid)}`);
    if (textAt(answer, 'response', 'result', 'status') !== 'Success') {
      throw failed(textAt(answer, 'response', 'result', 'message') || 'no reason given');
    }
    const converted = objectsAt(answer, 'response', 'convertedObjects');
    if (converted.length !== sent.length) {
      throw failed(`webhook returned ${converted.length} objects, expected ${sent.length}`);
    }
    let next = 0;
    return objects.map((original) => {
      if (original.apiVersion === apiVersion) return original;
      const at = next++;
      const checked = withKeptMetadata(original, converted[at] as JsonObject, apiVersion);
      if (typeof checked === 'string') throw failed(`invalid object at index ${at}: ${checked}`);
      return checked;
    });
  }
}

/**
 * A webhook may change labels and annotations, and nothing else of metadata (Kubernetes' restoreObjectMeta). Returns the
 * object, or what is wrong with it.
 */
function withKeptMetadata(
  original: KubeObject,
  converted: JsonObject,
  apiVersion: string,
): KubeObject | string {
  if (converted['apiVersion'] !== apiVersion) {
    return `expected apiVersion ${JSON.stringify(apiVersion)}, got ${JSON.stringify(converted['apiVersion'])}`;
  }
  if (converted['kind'] !== original.kind) {
    return `expected kind ${JSON.stringify(original.kind)}, got ${JSON.stringify(converted['kind'])}`;
  }
  const { metadata } = converted;
  if (!isJsonObject(metadata)) return 'metadata: must be an object';
  for (const field of ['name', 'namespace', 'uid'] as const) {
    if ((metadata[field] ?? '') !== (original.metadata[field] ?? '')) {
      return `metadata.${field}: may not be changed by a conversion`;
    }
  }
  const { labels: _labels, annotations: _annotations, ...kept } = original.metadata;
  const next: JsonObject = { ...kept };
  for (const field of ['labels', 'annotations'] as const) {
    const value = metadata[field];
    if (value === undefined || value === null) continue;
    const isMap = isJsonObject(value) && Object.values(value).every((one) => typeof one === 'string');
    if (!isMap) return `metadata.${field}: must be a map of texts`;
    next[field] = value;
  }
  return { ...converted, metadata: next } as KubeObject;
}

function encoded(entry: CacheEntry, object: KubeObject, served: ServedResource): CacheEntry {
  const { definition, version } = served;
  const isInert = schemaMarkOf(entry) === untouchedMark;
  if (!isInert) coerceToSchema(version.schema, object);
  // What is selected by is what is stored; only the body is another.
  const value = encodeStored(object, definition, isInert ? untouchedMark : settledMark(served));
  return { key: entry.key, value, revision: entry.revision, memo: undefined };
}

function keptKey({ key, revision }: CacheEntry, { definition, version }: ServedResource): string {
  return `${definition.contentHash} ${formatApiVersion({ group: definition.group, version: version.version })} ${key}@${revision}`;
}
