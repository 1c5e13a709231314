import {
  type FederatedResourceQuota,
  federatedResourceQuotasGvr,
} from '#api/policy/federated-resource-quota.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { isWithin } from '../algorithm/bounds.ts';
import type { CellStore } from '../cells/cell-store.ts';
import { type CopyIndex, placeKeyIn } from '../copies/copy-index.ts';
import type { CopyWriter } from '../copies/copy-writer.ts';
import type { Projector } from '../copies/projector.ts';
import type { Withdrawal } from '../copies/withdrawal.ts';
import type { Mappers } from '../mappers.ts';
import { type KeyParts, type ProjectObjectKey, splitKey } from '../object-key.ts';
import type { Policies } from '../policy/policies.ts';
import type { Origin } from '../projection/origin.ts';
import { type RenderedCopy, renderResourceQuota } from '../projection/render.ts';
import type { ResourceWatches } from '../watches/resource-watches.ts';
import type { WorkspaceRef, Workspaces } from '../workspaces.ts';

/** How long to wait before looking again where something of another origin lies at a quota's place. */
const collisionRetryMs = 30_000;
const resourceQuotas = { group: '', version: 'v1', resource: 'resourcequotas' } as const;

export interface StaticQuotasDependencies {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly controlPlaneId: string;
  readonly workspaces: Workspaces;
  readonly cells: CellStore;
  readonly copies: CopyIndex;
  readonly policies: Policies;
  readonly mappers: Mappers;
  readonly projector: Projector;
  readonly writer: CopyWriter;
  readonly watches: ResourceWatches;
  readonly withdrawal: Withdrawal;
  /** The quota as the watch tells it. */
  readonly told: (parts: KeyParts) => FederatedResourceQuota | undefined;
  /** Tells what lies where its ResourceQuotas should; undefined: nothing. */
  readonly collides: (parts: KeyParts, message: string | undefined) => void;
}

/** Whether the key is of a FederatedResourceQuota, which no policy places. */
export function isQuotaKey(key: ProjectObjectKey): boolean {
  return key.startsWith(quotaKeyPrefix);
}

const quotaKeyPrefix = `${federatedResourceQuotasGvr.resource}.${federatedResourceQuotasGvr.group}|`;

/**
 * Writes what a FederatedResourceQuota assigns to single cells as a ResourceQuota of the same name into the namespace there,
 * as Karmada does (PLACEMENT.md 1): what a project makes at an edge by itself is bounded too. Cells that do not admit the
 * project, or where an inherited policy forbids it, get none.
 */
export class StaticQuotas {
  readonly #on: StaticQuotasDependencies;

  constructor(dependencies: StaticQuotasDependencies) {
    this.#on = dependencies;
  }

  async reconcile(key: ProjectObjectKey, signal: AbortSignal): Promise<ReconcileResult> {
    const parts = splitKey(key);
    const project = this.#on.workspaces.project(parts.cluster);
    const quota = this.#on.told(parts) ?? (await this.#read(parts, project, signal));
    if (project === undefined || quota === undefined || quota.metadata.deletionTimestamp !== undefined) {
      await this.#on.withdrawal.letGo(key, parts, () => false, signal);
      return undefined;
    }
    const wanted = await this.#copies(parts, project, quota, signal);
    if (wanted.size > 0) await this.#on.watches.ensure(resourceQuotas);
    const places = new Set<string>();
    let mustRetry = false;
    const collisions: string[] = [];
    let firstError: unknown;
    for (const [cell, { cellId, copy, origin, mapper }] of wanted) {
      places.add(placeKeyIn(cellId, copy.place, copy.place.namespace, copy.place.name));
      try {
        const input = { mapper, origin };
        const made = await this.#on.projector.ensureNamespace(
          project.id,
          parts.namespace,
          cell,
          cellId,
          input,
          signal,
        );
        const outcome =
          made.type === 'collision' || made.type === 'leaving'
            ? made
            : await this.#on.writer.ensure(cellId, copy, signal);
        if (outcome.type === 'leaving') mustRetry = true;
        if (outcome.type === 'collision') {
          mustRetry = true;
          collisions.push(`cell ${cell}: ${outcome.message}`);
          this.#on.logger.warn({ ...parts, cell, why: outcome.message }, 'a static quota was not written');
        }
      } catch (error) {
        firstError ??= error;
      }
    }
    const unwanted = [...this.#on.copies.ofOrigin(key)].filter(([place]) => !places.has(place));
    const skip = (cell: string): boolean => !this.#on.cells.mayWithdrawFrom(cell);
    await this.#on.withdrawal.withdraw(
      unwanted.map(([, record]) => record),
      skip,
      signal,
    );
    if (firstError !== undefined) throw firstError;
    if (assignsOrDid(quota))
      this.#on.collides(parts, collisions.length === 0 ? undefined : collisions.join('; '));
    return mustRetry ? { requeueAfterMs: collisionRetryMs } : undefined;
  }

  /** Absence is confirmed by a consistent read. */
  async #read(
    { cluster, namespace, name }: KeyParts,
    project: WorkspaceRef | undefined,
    signal: AbortSignal,
  ): Promise<FederatedResourceQuota | undefined> {
    if (project === undefined) return undefined;
    try {
      const ref = { cluster, gvr: federatedResourceQuotasGvr, namespace, name };
      return (await this.#on.client.get(ref, { signal })) as FederatedResourceQuota;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #copies(parts: KeyParts, project: WorkspaceRef, quota: FederatedResourceQuota, signal: AbortSignal) {
    const wanted = new Map<string, QuotaCopy>();
    const assignments = quota.spec.staticAssignments ?? [];
    if (assignments.length === 0) return wanted;
    const mapper = await this.#on.mappers.of(project, signal);
    const { group, resource, namespace, name } = parts;
    const { labels, uid = '' } = quota.metadata;
    const identity = { group: '', kind: 'ResourceQuota', namespace, name, labels };
    const bounds = this.#on.policies.inherited.boundsOf(project.path, identity);
    const snapshot = this.#on.cells.snapshot();
    const origin: Origin = {
      controlPlane: this.#on.controlPlaneId,
      cluster: project.id,
      path: project.path,
      group,
      resource,
      namespace,
      name,
      uid,
    };
    for (const { clusterName, hard } of assignments) {
      const at = snapshot.cells.findIndex((cell) => cell.name === clusterName);
      const cell = snapshot.cells[at];
      const cellId = this.#on.workspaces.cellId(clusterName);
      if (cell === undefined || cellId === undefined || cell.deleting) continue;
      if (!cell.admitsProject({ id: project.id, path: project.path })) continue;
      if (!isWithin(bounds, snapshot, at)) continue;
      wanted.set(clusterName, { cellId, copy: renderResourceQuota(hard, origin, mapper), origin, mapper });
    }
    return wanted;
  }
}

/** Others have no status to tell it in. */
function assignsOrDid({ spec, status }: FederatedResourceQuota): boolean {
  return spec.staticAssignments !== undefined || status?.conditions !== undefined;
}

interface QuotaCopy {
  readonly cellId: string;
  readonly copy: RenderedCopy;
  readonly origin: Origin;
  readonly mapper: Awaited<ReturnType<Mappers['of']>>;
}
