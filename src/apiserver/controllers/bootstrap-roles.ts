import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { objectKey, parseObjectKey, rangePrefix } from '#storage/keys.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoles,
  rootAccessBinding,
} from '../authz/bootstrap-roles.ts';
import { rbacGroup } from '../authz/policy-rule.ts';
import { reconciledBootstrap } from '../authz/reconciled-bootstrap.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { lookAtEntries } from './store-events.ts';

/** By resource, namespace and name. */
const expected: ReadonlyMap<string, KubeObject> = new Map(
  Object.entries({
    clusterroles: bootstrapClusterRoles,
    roles: bootstrapRoles,
    clusterrolebindings: [...bootstrapClusterRoleBindings, rootAccessBinding],
  }).flatMap(([resource, objects]) =>
    objects.map((object) => {
      const { namespace = '', name = '' } = object.metadata;
      return [placeOf({ resource, namespace, name }), object] as const;
    }),
  ),
);

const resources = ['clusterroles', 'roles', 'clusterrolebindings'];

/**
 * Gives what workspaces have made of bootstrap roles and bindings back what they lack, at each start as Kubernetes does
 * (KUBERNETES.md U4; pkg/registry/rbac/rest/storage_rbac.go): so those who changed one get what a later version adds to it.
 * What nobody changed is not stored at all.
 */
export class BootstrapRoles extends KeyedController {
  constructor(context: ControllerContext) {
    super(context, { name: 'bootstrap-roles', concurrency: 2 });
  }

  protected listen(): (() => void)[] {
    return [];
  }

  protected resync(): void {
    for (const resource of resources) {
      lookAtEntries(this.context, rangePrefix({ group: rbacGroup, resource }), this.signal, ({ key }) => {
        if (expected.has(placeOf(parseObjectKey(key)))) this.queue.add(key);
      });
    }
  }

  protected async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, index, client } = this.context;
    const { resource, clusterId, namespace, name } = parseObjectKey(key);
    const workspace = index.byId(clusterId as ClusterId);
    const entry = storage.peek(objectKey({ group: rbacGroup, resource, clusterId, namespace, name }));
    const wanted = expected.get(placeOf({ resource, namespace, name }));
    if (workspace === undefined || workspace.inert || entry === undefined || wanted === undefined)
      return undefined;
    if (wanted === rootAccessBinding && workspace.type !== 'root') return undefined;
    const existing = objectOf(entry);
    const reconciled = reconciledBootstrap(existing, wanted);
    if (reconciled === undefined) return undefined;
    const gvr = { group: rbacGroup, version: 'v1', resource };
    const ref = { cluster: clusterId, gvr, name, ...(namespace === '' ? {} : { namespace }) };
    const { uid = '' } = existing.metadata;
    try {
      // The one that every workspace has then stands there again.
      if (reconciled === 'delete') await client.delete(ref, { preconditions: { uid }, signal });
      else await client.update(ref, reconciled, { signal });
    } catch (error) {
      // Changed meanwhile: it is looked at anew.
      if (!isApiError(error, 'NotFound')) throw error;
    }
    return undefined;
  }
}

function placeOf(place: {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}): string {
  return `${place.resource}/${place.namespace}/${place.name}`;
}
