import { objectAt, objectsAt } from '#api/builtin/read.ts';
import { type FieldError, forbiddenField, invalidObject } from '#apimachinery/field-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { isInert } from '../registry/target.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { namespaceLabels } from './request-view.ts';

const label = 'resource.kubernetes.io/admin-access';
const kinds: ReadonlySet<string> = new Set(['resourceclaims', 'resourceclaimtemplates']);

/**
 * Devices that others use may be had (`adminAccess: true`) in namespaces that an administrator has labelled for it only
 * (KEP-5018; pkg/registry/resource AuthorizedForAdmin). What was granted stays: specs are immutable, allocations too.
 */
export class DeviceAdminAccess implements AdmissionPlugin {
  readonly name = 'DeviceAdminAccess';
  readonly kinds = [{ group: 'resource.k8s.io', resource: '*' }];
  readonly #storage: CachedStorage;

  constructor(storage: CachedStorage) {
    this.#storage = storage;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { served, workspace, subresource } = context;
    const { group, resource } = served.definition;
    if (group !== 'resource.k8s.io' || !kinds.has(resource)) return false;
    if (operation !== (subresource === '' ? 'CREATE' : 'UPDATE')) return false;
    return workspace !== undefined && !isInert(workspace, served.definition);
  }

  validate({ context, object, oldObject }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const field = context.subresource === '' ? requestedAt(object) : grantedAt(object);
    if (field === undefined) return undefined;
    if (context.subresource !== '' && oldObject !== undefined && grantedAt(oldObject) !== undefined) {
      return undefined;
    }
    const labels = namespaceLabels(context, object, this.#storage) ?? {};
    if (labels[label] === 'true') return undefined;
    const why = `admin access to devices requires the \`${label}: true\` label on the containing namespace`;
    const errors: FieldError[] = [forbiddenField(field, why)];
    throw invalidObject(context.served.definition, object.metadata.name ?? '', errors);
  }
}

/** The first request that asks for it. A template's is named as a claim's would be. */
function requestedAt(object: KubeObject): string | undefined {
  const spec = objectAt(object, 'spec', 'spec') ?? objectAt(object, 'spec');
  const index = objectsAt(spec, 'devices', 'requests').findIndex(
    (request) => objectAt(request, 'exactly')?.['adminAccess'] === true,
  );
  return index < 0 ? undefined : `spec.devices.requests[${index}].adminAccess`;
}

function grantedAt(object: KubeObject): string | undefined {
  const results = objectsAt(object, 'status', 'allocation', 'devices', 'results');
  const index = results.findIndex((result) => result['adminAccess'] === true);
  return index < 0 ? undefined : `status.allocation.devices.results[${index}].adminAccess`;
}
