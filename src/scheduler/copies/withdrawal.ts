import { logicalClusterName, logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, PropagationPolicy } from '#client/client.ts';
import type { BindingStore } from '../bindings/binding-store.ts';
import { clearStatus, hasGatheredStatus } from '../gather/status-writer.ts';
import type { KeyParts, ProjectObjectKey } from '../object-key.ts';
import { crdResource } from '../projection/kinds.ts';
import type { ResourceWatches } from '../watches/resource-watches.ts';
import type { Workspaces } from '../workspaces.ts';
import type { CopyIndex, CopyRecord } from './copy-index.ts';
import type { CopyWriter } from './copy-writer.ts';

export interface WithdrawalDependencies {
  readonly client: KubeClient;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly copies: CopyIndex;
  readonly writer: CopyWriter;
  readonly bindings: BindingStore;
  /** Whether a policy of the project that could select this group is not resolved yet. */
  readonly isUnresolved: (cluster: string, group: string) => boolean;
}

/** How its project deletes an object, as far as that is still to be seen (KUBERNETES.md X4). */
function propagationOf(object: KubeObject | undefined): PropagationPolicy {
  const { deletionTimestamp, finalizers = [] } = object?.metadata ?? {};
  if (deletionTimestamp === undefined) return 'Background';
  if (finalizers.includes('orphan')) return 'Orphan';
  return finalizers.includes('foregroundDeletion') ? 'Foreground' : 'Background';
}

/** Takes copies back. It fails closed: what only looks as if it were gone keeps its copies (DESIGN.md, Bindings). */
export class Withdrawal {
  readonly #on: WithdrawalDependencies;

  constructor(dependencies: WithdrawalDependencies) {
    this.#on = dependencies;
  }

  /** Deletes copies, but for those in cells that `skip` names; `policy`: how the edges are to delete what stands there. */
  async withdraw(
    records: readonly CopyRecord[],
    skip: (cell: string) => boolean,
    signal: AbortSignal,
    policy: PropagationPolicy = 'Background',
  ): Promise<void> {
    await Promise.all(
      records.map((record) => {
        const cell = this.#on.workspaces.cellOf(record.cellId);
        if (cell !== undefined && skip(cell)) return undefined;
        // A mapped namespace stays until it is empty, whatever policies say (see NamespaceKeeper).
        if (record.group === '' && record.resource === 'namespaces') return undefined;
        return this.#on.writer.withdraw(record, policy, signal);
      }),
    );
  }

  /**
   * The object is gone, going, or no longer selected: its copies are withdrawn and its binding removed, the latter last, so
   * that a restart in between finds the rest. Absence is confirmed by a consistent read first (DESIGN.md, Bindings). `isWanted`
   * is asked after it: what was known when the object was found to be let go of may have been less. Throws then.
   * An object that is deleted in the foreground keeps its binding, and by that itself, until its copies are gone, and with them
   * what stands at the edges.
   */
  async letGo(
    key: ProjectObjectKey,
    parts: KeyParts,
    isWanted: () => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const records = [...this.#on.copies.ofOrigin(key).values()];
    const isBound = this.#on.bindings.isKnown(parts);
    if (records.length === 0 && !isBound) return;
    const left = await this.#lookAgain(key, parts, signal);
    if (left === 'unclear' || (left !== undefined && isWanted()))
      throw new Error('the object is there, and what selects it is not known yet');
    const policy = propagationOf(left);
    await this.withdraw(records, () => false, signal, policy);
    if (policy === 'Foreground' && isBound && this.#isLeft(key)) return;
    // A project that goes takes its bindings with it.
    if (isBound && this.#on.workspaces.project(parts.cluster) !== undefined) {
      const binding = await this.#on.bindings.read(parts, signal);
      // The object itself tells, for a status may have been written that no binding came to tell of.
      if (binding !== undefined && left !== undefined && hasGatheredStatus(left))
        await clearStatus(this.#on.client, parts, binding, signal);
      await this.#on.bindings.delete(parts, binding, signal);
    }
    this.#on.bindings.forget(parts);
  }

  /** Whether there are copies whose edges have yet to let go; their going is an event that brings the key back. */
  #isLeft(key: ProjectObjectKey): boolean {
    for (const { group, resource } of this.#on.copies.ofOrigin(key).values())
      if (group !== '' || resource !== 'namespaces') return true;
    return false;
  }

  /** What is to be let go of, as far as there is anything left of it; `unclear`: it may still be wanted. */
  async #lookAgain(
    key: ProjectObjectKey,
    parts: KeyParts,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined | 'unclear'> {
    const { cluster, group, resource, namespace, name } = parts;
    const workspace = this.#on.workspaces.get(cluster);
    if (workspace === undefined)
      return (await this.#isWorkspaceGone(cluster, signal)) ? undefined : 'unclear';
    if (workspace.deleting) return undefined;
    const version = [...this.#on.copies.ofOrigin(key).values()].find(
      (one) => one.resource === resource,
    )?.version;
    const watched = [...this.#on.watches.resources()].find(([watch]) => watch === `${resource}.${group}`);
    const readVersion = watched?.[1].version ?? version;
    if (readVersion === undefined) return this.#on.isUnresolved(cluster, group) ? 'unclear' : undefined;
    try {
      const object = await this.#on.client.get(
        {
          cluster,
          gvr: { group, version: readVersion, resource },
          namespace: namespace === '' ? undefined : namespace,
          name,
        },
        // Not its metadata alone, which come without managedFields: they tell whether a status was gathered.
        { signal },
      );
      if (object.metadata.deletionTimestamp !== undefined) return object;
      // It is there: then a known set of policies must leave it out, and the watch must have told of it.
      if (this.#on.isUnresolved(cluster, group)) return 'unclear';
      const seen = this.#on.watches.get(`${resource}.${group}`, cluster, namespace, name);
      return seen?.metadata.uid === object.metadata.uid ? object : 'unclear';
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      // A 404 that names no object says that the kind is not served: which is no absence while its definition is there.
      if (error.details?.name === name) return undefined;
      const definition = this.#on.watches.get(crdResource, cluster, '', `${resource}.${group}`);
      return definition === undefined ? undefined : 'unclear';
    }
  }

  async #isWorkspaceGone(cluster: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#on.client.get(
        { cluster, gvr: logicalClustersGvr, name: logicalClusterName },
        { metadataOnly: true, signal },
      );
      return false;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return true;
      throw error;
    }
  }
}
