import { objectsAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { objectKey, rangePrefix } from '#storage/keys.ts';
import {
  bootstrapPriorityLevels,
  danglingCondition,
  flowControlGroup,
} from '../flow-control/bootstrap-objects.ts';
import { clusterOf } from '../registry/key-parts.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { settled } from './settled.ts';
import { lookAtEntries } from './store-events.ts';

const schemas = { group: flowControlGroup, resource: 'flowschemas' } as const;
const levels = { group: flowControlGroup, resource: 'prioritylevelconfigurations' } as const;
/** Kubernetes' own writer of this condition is called so. */
const fieldManager = 'api-priority-and-fairness-config-consumer-v1';
const schemasGvr = { ...schemas, version: 'v1' } as const;
const sharedLevels = new Set(bootstrapPriorityLevels.map(({ metadata }) => metadata.name));

/**
 * Says in each stored FlowSchema's condition `Dangling` whether the level that it names exists (KUBERNETES.md O2): one
 * that names none does not act. Not in cell workspaces, where nothing of the kind does.
 */
export class FlowSchemaStatus extends KeyedController<ClusterId> {
  constructor(context: ControllerContext) {
    super(context, { name: 'flow-schema-status', concurrency: 2 });
  }

  protected listen(): (() => void)[] {
    const listener = {
      event: ({ key }: { readonly key: string }) => this.queue.add(clusterOf(key)),
      reset: () => this.resync(),
    };
    const { events } = this.context;
    return [events.listen(rangePrefix(schemas), listener), events.listen(rangePrefix(levels), listener)];
  }

  protected resync(): void {
    lookAtEntries(this.context, rangePrefix(schemas), this.signal, ({ key }) =>
      this.queue.add(clusterOf(key)),
    );
  }

  protected async reconcile(cluster: ClusterId, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, index } = this.context;
    const record = index.recordOf(cluster);
    if (record === undefined || record.kind === 'cell') return undefined;
    for (const entry of storage.snapshot(rangePrefix(schemas, cluster)).entries()) {
      await this.#tell(cluster, objectOf(entry), signal);
    }
    return undefined;
  }

  async #tell(cluster: ClusterId, schema: KubeObject, signal: AbortSignal): Promise<void> {
    const { storage, client, clock } = this.context;
    const { name = '', uid, resourceVersion } = schema.metadata;
    const level = textAt(schema, 'spec', 'priorityLevelConfiguration', 'name');
    const key = objectKey({ ...levels, clusterId: cluster, namespace: '', name: level });
    const wanted = danglingCondition(level, sharedLevels.has(level) || storage.peek(key) !== undefined);
    const conditions = objectsAt(schema, 'status', 'conditions');
    const present = conditions.find(({ type }) => type === wanted['type']);
    const isSame = present?.['status'] === wanted['status'];
    if (isSame && present?.['message'] === wanted['message']) return;
    const since = isSame ? present?.['lastTransitionTime'] : undefined;
    const told: JsonObject = { ...wanted, lastTransitionTime: since ?? nowTime(clock.now()) };
    const body = {
      apiVersion: `${flowControlGroup}/${schemasGvr.version}`,
      kind: 'FlowSchema',
      metadata: { name, uid, resourceVersion },
      status: { conditions: [told] },
    };
    const ref = { cluster, gvr: schemasGvr, name };
    await settled(client.apply(ref, body, { subresource: 'status', fieldManager, force: true, signal }));
  }
}
