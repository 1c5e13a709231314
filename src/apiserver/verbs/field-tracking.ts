import { formatApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { type ManagedFieldsConverter, updateManagedFields } from '../apply/update-managed-fields.ts';
import { servedApiVersion, toStorageVersion } from '../registry/conversion.ts';
import { separatesStatus } from '../registry/target.ts';
import type { ResourceContext } from '../request/context.ts';
import type { WriteParameters } from './options.ts';

/** What managedFields need to know of a request (P4). */
export interface Tracking {
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource: string;
  readonly now: string;
  readonly resetFields: readonly string[] | undefined;
  readonly convert: ManagedFieldsConverter | undefined;
}

export function trackingOf(
  context: ResourceContext,
  parameters: Pick<WriteParameters, 'fieldManager'>,
  nowMs: number,
  subresource: string = context.subresource,
): Tracking {
  const { served } = context;
  return {
    manager: parameters.fieldManager === '' ? context.defaultFieldManager : parameters.fieldManager,
    apiVersion: servedApiVersion(served),
    subresource,
    now: nowTime(nowMs),
    resetFields: resetFieldsOf(served, subresource),
    convert: converterOf(served),
  };
}

/** The registry's `track` for all writes but apply. The object given is the request's own; its metadata is changed. */
export function tracker(
  served: ServedResource,
  tracking: Tracking,
): (object: KubeObject, live: KubeObject | undefined) => KubeObject {
  const { schema } = served.version;
  const { manager, apiVersion, subresource, now, resetFields, convert } = tracking;
  return (updated, live) => {
    const entries = updateManagedFields({
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
    });
    if (entries.length > 0) updated.metadata.managedFields = entries;
    else delete updated.metadata.managedFields;
    return updated;
  };
}

/** C7: what an endpoint does not write, nobody comes to own through it. */
function resetFieldsOf(served: ServedResource, subresource: string): readonly string[] | undefined {
  if (subresource === 'status') return onlyStatus;
  return separatesStatus(served) ? allButStatus : undefined;
}

const onlyStatus: readonly string[] = ['!status'];
const allButStatus: readonly string[] = ['status'];

const converters = new WeakMap<ServedResource['version'], ManagedFieldsConverter>();

/** Undefined where versions differ in nothing but their name: field paths then mean the same in all of them. */
function converterOf(served: ServedResource): ManagedFieldsConverter | undefined {
  const { definition, version } = served;
  if (!definition.versions.some((one) => one.toStorage !== undefined || one.fromStorage !== undefined)) {
    return undefined;
  }
  let converter = converters.get(version);
  if (converter === undefined) {
    converter = (object, apiVersion) => {
      const other = definition.versions.find(
        (one) => formatApiVersion({ group: definition.group, version: one.version }) === apiVersion,
      );
      if (other === undefined || !other.served) return undefined;
      if (other === version) return { object, schema: version.schema };
      const stored = toStorageVersion(cloneJson(object), served);
      const converted = other.fromStorage === undefined ? stored : other.fromStorage(stored);
      return { object: { ...converted, apiVersion }, schema: other.schema };
    };
    converters.set(version, converter);
  }
  return converter;
}
