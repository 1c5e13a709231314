import type { KubeObject, ManagedFieldsEntry } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { updateManagedFields } from '../apply/update-managed-fields.ts';
import type { ConversionWebhooks } from '../crd/conversion-webhook.ts';
import { servedApiVersion } from '../registry/conversion.ts';
import { separatesStatus } from '../registry/target.ts';
import type { ResourceContext } from '../request/context.ts';
import type { WriteParameters } from './options.ts';
import { type VersionedFields, versionedFieldsOf, withConversions } from './versioned-fields.ts';

/** What managedFields need to know of a request (P4). */
export interface Tracking {
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource: string;
  readonly now: string;
  readonly resetFields: readonly string[] | undefined;
  readonly versions: VersionedFields;
}

export function trackingOf(
  context: ResourceContext,
  parameters: Pick<WriteParameters, 'fieldManager'>,
  nowMs: number,
  webhooks: ConversionWebhooks | undefined,
  subresource: string = context.subresource,
): Tracking {
  const { served } = context;
  return {
    manager: parameters.fieldManager === '' ? context.defaultFieldManager : parameters.fieldManager,
    apiVersion: servedApiVersion(served),
    subresource,
    now: nowTime(nowMs),
    resetFields: resetFieldsOf(served, subresource),
    versions: versionedFieldsOf(context, webhooks),
  };
}

/** The registry's `track` for all writes but apply. The object given is the request's own; its metadata is changed. */
export function tracker(
  served: ServedResource,
  tracking: Tracking,
): (object: KubeObject, live: KubeObject | undefined) => KubeObject | Promise<KubeObject> {
  const { schema } = served.version;
  const { manager, apiVersion, subresource, now, resetFields, versions } = tracking;
  return (updated, live) => {
    const entries = withConversions(versions, (convert) =>
      updateManagedFields({
        manager,
        apiVersion,
        subresource,
        now,
        resetFields,
        convert,
        operation: 'Update',
        schema,
        live,
        updated,
      }),
    );
    return entries instanceof Promise
      ? entries.then((known) => withManagers(updated, known))
      : withManagers(updated, entries);
  };
}

function withManagers(updated: KubeObject, entries: ManagedFieldsEntry[]): KubeObject {
  if (entries.length > 0) updated.metadata.managedFields = entries;
  else delete updated.metadata.managedFields;
  return updated;
}

/** C7: what an endpoint does not write, nobody comes to own through it. */
function resetFieldsOf(served: ServedResource, subresource: string): readonly string[] | undefined {
  const { unownedFields } = served.definition.strategy;
  if (unownedFields !== undefined) return unownedFields[subresource];
  if (subresource !== 'status') return separatesStatus(served) ? allButStatus : undefined;
  const kept = served.definition.strategy.statusKeepsMetadata;
  return kept === undefined ? onlyStatus : allButSpec(kept);
}

/** Of kinds whose `/status` writes metadata as well (GetResetFields of their status strategies). One list for equal ones. */
function allButSpec(kept: readonly string[]): readonly string[] {
  const key = kept.join();
  let fields = resets.get(key);
  if (fields === undefined) {
    fields = ['spec', ...kept.map((name) => `metadata.${name}`)];
    resets.set(key, fields);
  }
  return fields;
}

/** By what metadata is kept: as many as there are different entries in `statusKeepsMetadata`. */
const resets = new Map<string, readonly string[]>();

const onlyStatus: readonly string[] = ['!status'];
const allButStatus: readonly string[] = ['status'];
