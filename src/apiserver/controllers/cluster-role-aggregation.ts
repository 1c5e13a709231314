import { equalJson, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { rangePrefix } from '#storage/keys.ts';
import { aggregatedRules, isAggregated } from '../authz/aggregated-rules.ts';
import { bootstrapClusterRoles } from '../authz/bootstrap-roles.ts';
import { type PolicyRule, rbacGroup } from '../authz/policy-rule.ts';
import { RbacIndex } from '../authz/rbac-index.ts';
import { clusterOf } from '../registry/key-parts.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { settled } from './settled.ts';
import { lookAtEntries } from './store-events.ts';

const clusterRoles = { group: rbacGroup, resource: 'clusterroles' } as const;
const clusterRolesGvr = { ...clusterRoles, version: 'v1' } as const;
/** Kubernetes' own writer of these rules is called so. */
const fieldManager = 'clusterrole-aggregation-controller';
const aggregationField = Buffer.from('"aggregationRule"');

/**
 * Fills the rules of every stored ClusterRole that has an aggregationRule from the roles that it selects (KUBERNETES.md U4),
 * shared ones among them. The shared aggregated roles themselves are put together where they are asked (RbacIndex). Not in
 * cell workspaces, where no role acts. A workspace without such a role costs nothing.
 */
export class ClusterRoleAggregation extends KeyedController<ClusterId> {
  /** Where there may be aggregated roles: any change of a ClusterRole there may be one of theirs. */
  readonly #aggregating = new Set<string>();

  constructor(context: ControllerContext) {
    super(context, { name: 'clusterrole-aggregation', concurrency: 2 });
  }

  protected listen(): (() => void)[] {
    return [
      this.context.events.listen(rangePrefix(clusterRoles), {
        event: ({ key, entry }) => this.#look(clusterOf(key), entry?.value),
        reset: () => this.resync(),
      }),
    ];
  }

  protected resync(): void {
    lookAtEntries(this.context, rangePrefix(clusterRoles), this.signal, ({ key, value }) =>
      this.#look(clusterOf(key), value),
    );
  }

  protected async reconcile(cluster: ClusterId, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, index } = this.context;
    const record = index.recordOf(cluster);
    const snapshot = storage.snapshot(rangePrefix(clusterRoles, cluster));
    const stored = [...snapshot.entries()].map((entry) => objectOf(entry));
    const aggregated = stored.filter(isAggregated);
    if (record === undefined || aggregated.length === 0) this.#aggregating.delete(cluster);
    if (record === undefined || record.kind === 'cell' || aggregated.length === 0) return undefined;
    const { all, rulesOf } = rolesOf(stored);
    for (const role of aggregated)
      await this.#fill(cluster, role, aggregatedRules(role, all, rulesOf), signal);
    return undefined;
  }

  #look(cluster: string, value: Buffer | undefined): void {
    if (value?.includes(aggregationField) === true) this.#aggregating.add(cluster);
    if (this.#aggregating.has(cluster)) this.queue.add(cluster);
  }

  async #fill(cluster: ClusterId, role: KubeObject, rules: PolicyRule[], signal: AbortSignal): Promise<void> {
    if (equalJson(rules, (role['rules'] ?? []) as JsonValue)) return;
    const { name = '', uid } = role.metadata;
    // Not its resourceVersion: what else its owner writes is not touched, and who is late is told of the next change.
    const body = { apiVersion: `${rbacGroup}/v1`, kind: 'ClusterRole', metadata: { name, uid }, rules };
    const ref = { cluster, gvr: clusterRolesGvr, name };
    await settled(this.context.client.apply(ref, body, { fieldManager, force: true, signal }));
  }
}

/** What is stored, and what is shared where nothing is stored under its name; and what each has of rules. */
function rolesOf(stored: readonly KubeObject[]): {
  readonly all: readonly KubeObject[];
  readonly rulesOf: (role: KubeObject) => readonly PolicyRule[];
} {
  const own = new Set(stored.map(({ metadata }) => metadata.name));
  const roles = new RbacIndex(bootstrapClusterRoles);
  for (const role of stored) roles.put('clusterroles', role);
  return {
    all: [...stored, ...bootstrapClusterRoles.filter(({ metadata }) => !own.has(metadata.name))],
    rulesOf: ({ metadata: { name = '' } }) =>
      roles.rulesOfRoleRef({ apiGroup: rbacGroup, kind: 'ClusterRole', name }, '') ?? [],
  };
}
