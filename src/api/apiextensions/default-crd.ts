import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectAt } from '../builtin/read.ts';
import { withCondition } from '../conditions.ts';
import { conditionsOf, crdCleanupFinalizer, namesOf, statusOf, storedVersionsOf, versionsOf } from './crd.ts';

/** Defaulting of apiextensions.k8s.io/v1 (C11): singular, listKind, conversion. In place; tolerates what is malformed. */
export function defaultCrd(crd: KubeObject): void {
  const spec = crd['spec'];
  if (!isJsonObject(spec)) return;
  const names = spec['names'];
  if (isJsonObject(names) && typeof names['kind'] === 'string' && names['kind'] !== '') {
    if (names['singular'] === undefined || names['singular'] === '')
      names['singular'] = names['kind'].toLowerCase();
    if (names['listKind'] === undefined || names['listKind'] === '')
      names['listKind'] = `${names['kind']}List`;
  }
  spec['conversion'] ??= { strategy: 'None' };
  if (isJsonObject(spec['conversion'])) {
    spec['conversion']['strategy'] ??= 'None';
    const service = objectAt(spec['conversion'], 'webhook', 'clientConfig', 'service');
    if (service !== undefined) service['port'] ??= 443;
  }
  const status = crd['status'];
  const stored = versionsOf(crd).filter((version) => version.storage);
  if (isJsonObject(status) && stored.length > 0 && storedVersionsOf(crd).length === 0)
    status['storedVersions'] = stored.map(({ name }) => name);
  // Kubernetes leaves the field out when it has its only allowed value.
  if (spec['preserveUnknownFields'] === false) delete spec['preserveUnknownFields'];
}

/** A new CRD: nothing accepted, the storage version recorded, and instances cleaned up before it may go. */
export function prepareNewCrd(crd: KubeObject): void {
  recordStorageVersion(crd);
  requireCleanup(crd);
}

export function prepareChangedCrd(crd: KubeObject, old: KubeObject, subresource: string): void {
  if (subresource !== '') return;
  recordStorageVersion(crd);
  if (old.metadata.deletionTimestamp === undefined) requireCleanup(crd);
}

/** Without a period and another generation, and with a condition that says so (apiextensions, customresourcedefinition/etcd.go). */
export function markDeletedCrd(crd: KubeObject, now: string): void {
  crd.metadata.deletionTimestamp = now;
  requireCleanup(crd);
  const wanted = {
    type: 'Terminating',
    status: 'True',
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  } as const;
  crd['status'] = { ...statusOf(crd), conditions: withCondition(conditionsOf(crd), wanted, now) };
}

/** Data may lie in every version that ever was the storage version, until somebody migrated it (R1). */
function recordStorageVersion(crd: KubeObject): void {
  const stored = storedVersionsOf(crd);
  const storage = versionsOf(crd).find((version) => version.storage)?.name;
  if (storage === undefined || stored.includes(storage)) return;
  const names = namesOf(statusOf(crd)['acceptedNames']);
  crd['status'] = {
    acceptedNames: { plural: names.plural, kind: names.kind },
    ...statusOf(crd),
    storedVersions: [...stored, storage],
  };
}

/** Not at deletion, which would be too late when an instance is created in between. */
function requireCleanup(crd: KubeObject): void {
  const finalizers = crd.metadata.finalizers ?? [];
  if (!finalizers.includes(crdCleanupFinalizer))
    crd.metadata.finalizers = [...finalizers, crdCleanupFinalizer];
}
