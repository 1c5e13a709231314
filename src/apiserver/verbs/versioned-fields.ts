import { internalError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { isOwnedAlike } from '../apply/owned-alike.ts';
import type { ManagedFieldsConverter } from '../apply/update-managed-fields.ts';
import type { ConversionWebhooks } from '../crd/conversion-webhook.ts';
import { toStorageVersion } from '../registry/conversion.ts';
import type { ResourceContext } from '../request/context.ts';

/** How field sets are compared that managers wrote in other versions of a kind (KUBERNETES.md P4, P6, R7). */
export type VersionedFields =
  /** Versions differ in nothing but their name. */
  | { readonly type: 'same' }
  | { readonly type: 'converted'; readonly convert: ManagedFieldsConverter }
  | {
      readonly type: 'webhook';
      readonly versionOf: (apiVersion: string) => ResourceVersion | undefined;
      readonly ask: (object: KubeObject, apiVersion: string) => Promise<KubeObject>;
    };

const same: VersionedFields = { type: 'same' };
const known = new WeakMap<ResourceVersion, VersionedFields>();

/** Of the kind that a request writes, in the version that it writes. */
export function versionedFieldsOf(
  context: ResourceContext,
  webhooks: ConversionWebhooks | undefined,
): VersionedFields {
  const { served, workspace } = context;
  const { definition, version } = served;
  if (definition.conversion !== undefined && webhooks !== undefined && workspace !== undefined) {
    return {
      type: 'webhook',
      versionOf: (apiVersion) => servedVersion(definition, apiVersion),
      ask: async (object, apiVersion) => {
        const [converted] = await webhooks.convert(definition, workspace.id, [object], apiVersion);
        return converted as KubeObject;
      },
    };
  }
  if (!differInShape(definition)) return same;
  let fields = known.get(version);
  if (fields === undefined) {
    fields = { type: 'converted', convert: (object, apiVersion) => converted(served, object, apiVersion) };
    known.set(version, fields);
  }
  return fields;
}

const different = new WeakMap<ResourceDefinition, boolean>();

/** Whether paths may mean something else in another version: of most kinds they do not. */
function differInShape(definition: ResourceDefinition): boolean {
  let differs = different.get(definition);
  if (differs === undefined) {
    const [first, ...others] = definition.versions;
    differs =
      definition.versions.some((one) => one.toStorage !== undefined || one.fromStorage !== undefined) ||
      (definition.origin === 'custom' &&
        first !== undefined &&
        others.some((one) => !isOwnedAlike(first.schema, one.schema)));
    different.set(definition, differs);
  }
  return differs;
}

function servedVersion(definition: ResourceDefinition, apiVersion: string): ResourceVersion | undefined {
  const found = definition.versions.find(
    ({ version }) => formatApiVersion({ group: definition.group, version }) === apiVersion,
  );
  return found?.served === true ? found : undefined;
}

/** From the version that the object is in, through the stored one. */
function converted(
  { definition, version }: ServedResource,
  object: KubeObject,
  apiVersion: string,
): ReturnType<ManagedFieldsConverter> {
  const wanted = servedVersion(definition, apiVersion);
  if (wanted === undefined) return undefined;
  if (object.apiVersion === apiVersion) return { object, schema: wanted.schema };
  const from = servedVersion(definition, object.apiVersion) ?? version;
  const stored = toStorageVersion(cloneJson(object), { definition, version: from });
  const made = wanted.fromStorage === undefined ? stored : wanted.fromStorage(stored);
  return { object: { ...made, apiVersion }, schema: wanted.schema };
}

/** Unwinds a computation that cannot go on before a webhook has converted an object. */
class ConversionNeeded extends Error {
  readonly object: KubeObject;
  readonly apiVersion: string;

  constructor(object: KubeObject, apiVersion: string) {
    super(`needs ${apiVersion}`);
    this.object = object;
    this.apiVersion = apiVersion;
  }
}

/** Of one write: an object before and after in each version that managers wrote, and what is pruned on the way. */
const conversionsMax = 100;

/**
 * Runs a pure computation over field sets. Where a webhook converts, it is begun again each time that it has met an
 * object which was not converted yet: most writes meet none, since all managers write the same version. Rejects with the
 * webhook's ApiError, as Kubernetes refuses such a write too.
 */
export function withConversions<Result>(
  fields: VersionedFields,
  compute: (convert: ManagedFieldsConverter | undefined) => Result,
): Result | Promise<Result> {
  if (fields.type !== 'webhook') return compute(fields.type === 'same' ? undefined : fields.convert);
  const made = new Map<string, KubeObject>();
  const convert: ManagedFieldsConverter = (object, apiVersion) => {
    const version = fields.versionOf(apiVersion);
    if (version === undefined) return undefined;
    if (object.apiVersion === apiVersion) return { object, schema: version.schema };
    const there = made.get(keyOf(object, apiVersion));
    if (there === undefined) throw new ConversionNeeded(object, apiVersion);
    return { object: there, schema: version.schema };
  };
  const attempt = (): Result | Promise<Result> => {
    try {
      return compute(convert);
    } catch (error) {
      if (!(error instanceof ConversionNeeded)) throw error;
      if (made.size >= conversionsMax) {
        throw internalError(new Error('managedFields name too many versions to convert between'));
      }
      const { object, apiVersion } = error;
      return fields.ask(object, apiVersion).then((answer) => {
        made.set(keyOf(object, apiVersion), answer);
        return attempt();
      });
    }
  };
  return attempt();
}

function keyOf(object: KubeObject, apiVersion: string): string {
  return `${apiVersion} ${JSON.stringify(object)}`;
}
