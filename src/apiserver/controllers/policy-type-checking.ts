import { numberAt } from '#api/builtin/read.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { objectKey, parseObjectKey, rangePrefix } from '#storage/keys.ts';
import { expressionWarnings } from '../admission/policies/type-checking.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { settled } from './settled.ts';
import { lookAtEntries } from './store-events.ts';

const policies = { group: 'admissionregistration.k8s.io', resource: 'validatingadmissionpolicies' } as const;
const policiesGvr = { ...policies, version: 'v1' } as const;
/** Kubernetes' own writer of this status is called so. */
const fieldManager = 'validatingadmissionpolicy-status';

/**
 * Checks each ValidatingAdmissionPolicy, once a generation, against the kinds that it names, and says in its status what
 * its expressions get wrong about them (KUBERNETES.md A3). Not in cell workspaces, where no policy acts.
 */
export class PolicyTypeChecking extends KeyedController {
  constructor(context: ControllerContext) {
    super(context, { name: 'policy-type-checking', concurrency: 2 });
  }

  protected listen(): (() => void)[] {
    return [
      this.context.events.listen(rangePrefix(policies), {
        event: ({ key, entry }) => {
          if (entry !== undefined) this.queue.add(key);
        },
        reset: () => this.resync(),
      }),
    ];
  }

  protected resync(): void {
    lookAtEntries(this.context, rangePrefix(policies), this.signal, ({ key }) => this.queue.add(key));
  }

  protected async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, index, client } = this.context;
    const { clusterId, name } = parseObjectKey(key);
    const workspace = index.byId(clusterId as ClusterId);
    const entry = storage.peek(objectKey({ ...policies, clusterId, namespace: '', name }));
    if (workspace === undefined || workspace.inert || entry === undefined) return undefined;
    const policy = objectOf(entry);
    const { generation = 0, uid, resourceVersion } = policy.metadata;
    if ((numberAt(policy, 'status', 'observedGeneration') ?? 0) >= generation) return undefined;
    const spec = isJsonObject(policy['spec']) ? policy['spec'] : {};
    const warnings = expressionWarnings(spec, workspace.scheme);
    // What an earlier generation was told goes away.
    const typeChecking = { expressionWarnings: warnings.length === 0 ? null : warnings };
    const body = {
      metadata: { uid, resourceVersion },
      status: { observedGeneration: generation, typeChecking },
    };
    const ref = { cluster: clusterId, gvr: policiesGvr, name };
    await settled(
      client.patch(ref, { type: 'merge', body }, { subresource: 'status', fieldManager, signal }),
    );
    return undefined;
  }
}
