import { LRUCache } from 'lru-cache';
import { bindingName } from '#api/work/binding-name.ts';
import type {
  BindingSnapshot,
  GracefulEvictionTask,
  RolloutStatus,
  TargetCluster,
} from '#api/work/resource-binding.ts';
import { type TemplateRevision, templateRevisionsGvr } from '#api/work/template-revision.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { cloneJson, isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Owns } from '#client/queue/work-sharing.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import type { Target } from '../algorithm/decision.ts';
import type { Decided } from '../deciding/decider.ts';
import type { KeyState } from '../key-state.ts';
import type { Known } from '../known-object.ts';
import type { KeyParts } from '../object-key.ts';
import { contentHashOf } from '../projection/content-hash.ts';
import { overrideRulesOf, overridesOfRules } from '../projection/overrides.ts';
import type { RenderInput } from '../projection/render.ts';
import { replicaFieldOf } from '../projection/replicas.ts';
import { stripServerFields } from '../projection/strip.ts';
import { planRollout } from './plan.ts';

/** Written on the object by whoever approves a wave: `<revision>/<wave>`. */
const approvalAnnotation = 'federation.cellplane.io/rollout-approved';
const revisionsMax = 1_000;
const revisionLength = 10;

export interface StagedRendering {
  readonly input: RenderInput;
  /** Undefined where the policy has no rollout. */
  readonly status: RolloutStatus | undefined;
  readonly recheckAtMs: number | undefined;
  readonly watch: KeyState['rollout'];
}

/** Lets objects whose policy has a `rollout` reach their cells wave by wave, and keeps what they were before. */
export class Rollouts {
  readonly #client: KubeClient;
  /** `<cluster>|<namespace>/<name>` → as stored; null: there is none. */
  readonly #stored = new LRUCache<string, { readonly revision: TemplateRevision | null }>({
    max: revisionsMax,
  });

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** What is kept of these projects' objects is another scheduler's to write, or has been. */
  forget(owns: Owns): void {
    for (const key of [...this.#stored.keys()])
      if (owns(key.slice(0, key.indexOf('|')))) this.#stored.delete(key);
  }

  /** `lying`: all cells that are to have the object, those that `tasks` leave among them. */
  async stage(
    parts: KeyParts,
    { match, present, object }: Known,
    { state, snapshot, nowMs }: Decided,
    input: RenderInput,
    lying: readonly Target[],
    tasks: readonly GracefulEvictionTask[],
    signal: AbortSignal,
  ): Promise<StagedRendering> {
    const { rollout } = match.policy.spec;
    // What lies in no namespace goes everywhere at once.
    if (rollout === undefined || parts.namespace === '')
      return { input, status: undefined, recheckAtMs: undefined, watch: undefined };
    const targets = new Set(lying.map(nameOf));
    const leaving = new Set(tasks.map(({ fromCluster }) => fromCluster));
    const revision = revisionOf(input);
    const stored = await this.#read(parts, signal);
    const kept = stored?.spec.revision;
    const former = present?.status?.rollout;
    const cells: CellInfo[] = snapshot.cells.filter(({ name }) => targets.has(name));
    const before = new Set(
      [...(present?.spec.clusters ?? []), ...(present?.spec.requiredBy ?? []).flatMap(clustersOf)].map(
        nameOf,
      ),
    );
    const plan = planRollout({
      rollout,
      revision,
      kept: stored !== undefined && isOf(stored, object) && isInCells(stored, former) ? kept : undefined,
      status: former,
      cells,
      leaving,
      joined: new Set([...targets].filter((cell) => !before.has(cell) && !leaving.has(cell))),
      isHeard: state.isHeard,
      healthy: state.health.healthy,
      unhealthy: state.health.unhealthySinceMs,
      approved: object.metadata.annotations?.[approvalAnnotation],
      nowMs,
    });
    // Kept before it is told that it is: what cells have can always be gone back to.
    if (
      plan.status.phase === 'Complete' &&
      (kept !== revision || stored === undefined || !isOf(stored, object))
    )
      await this.#write(parts, object, input, revision, stored, signal);
    const { behind } = plan;
    const held = stored === undefined || behind.size === 0 ? undefined : formerInput(input, stored);
    return {
      input:
        held === undefined ? input : { ...input, variant: (cell) => (behind.has(cell) ? held : undefined) },
      status: plan.status,
      recheckAtMs: plan.recheckAtMs,
      watch:
        plan.awaited === undefined && plan.watched.size === 0
          ? undefined
          : { awaited: plan.awaited, watched: plan.watched },
    };
  }

  async #read(parts: KeyParts, signal: AbortSignal): Promise<TemplateRevision | undefined> {
    const known = this.#stored.get(cacheKeyOf(parts));
    if (known !== undefined) return known.revision ?? undefined;
    try {
      const revision = (await this.#client.get(refOf(parts), { signal })) as TemplateRevision;
      this.#stored.set(cacheKeyOf(parts), { revision });
      return revision;
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      this.#stored.set(cacheKeyOf(parts), { revision: null });
      return undefined;
    }
  }

  async #write(
    parts: KeyParts,
    object: KubeObject,
    input: RenderInput,
    revision: string,
    stored: TemplateRevision | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { status: _status, ...content } = object;
    const { apiVersion, kind, metadata } = object;
    const next: TemplateRevision = {
      apiVersion: `${templateRevisionsGvr.group}/${templateRevisionsGvr.version}`,
      kind: 'TemplateRevision',
      metadata: {
        ...(stored === undefined ? {} : { resourceVersion: stored.metadata.resourceVersion }),
        name: refOf(parts).name,
        namespace: parts.namespace,
        ownerReferences: [{ apiVersion, kind, name: metadata.name ?? '', uid: metadata.uid ?? '' }],
      },
      spec: {
        revision,
        object: cloneJson(content),
        overrideRules: overrideRulesOf(input.overrides),
      },
    };
    this.#stored.delete(cacheKeyOf(parts));
    const ref = refOf(parts);
    const written =
      stored === undefined
        ? await this.#client.create(ref, next, { signal })
        : await this.#client.update(ref, next, { signal });
    this.#stored.set(cacheKeyOf(parts), { revision: { ...next, metadata: written.metadata } });
  }
}

function clustersOf({ clusters = [] }: BindingSnapshot): readonly TargetCluster[] {
  return clusters;
}

function nameOf({ name }: Target | TargetCluster): string {
  return name;
}

function refOf({ cluster, group, resource, namespace, name }: KeyParts) {
  return { cluster, gvr: templateRevisionsGvr, namespace, name: bindingName(group, resource, name) };
}

function cacheKeyOf(parts: KeyParts): string {
  return `${parts.cluster}|${parts.namespace}/${refOf(parts).name}`;
}

/** An object of the same name that was made anew has no past. */
function isOf({ metadata }: TemplateRevision, object: KubeObject): boolean {
  return metadata.ownerReferences?.[0]?.uid === object.metadata.uid;
}

/**
 * Whether it is what cells had last. While its policy had no rollout, or it was nowhere, the object changed and nothing was kept of
 * that. A revision that was kept at the end of a rollout of which the binding does not tell yet is its target.
 */
function isInCells({ spec: { revision } }: TemplateRevision, status: RolloutStatus | undefined): boolean {
  return status?.stable === revision || status?.target === revision;
}

/** Short enough to be typed; equal for equal content, however many replicas it has. */
function revisionOf({ object, kind, overrides }: RenderInput): string {
  const content = cloneJson(object);
  stripServerFields(content, { podSecurityLabels: true });
  const field = replicaFieldOf(kind);
  if (field !== undefined && isJsonObject(content['spec'])) delete content['spec'][field];
  const rules = overrideRulesOf(overrides) as unknown as JsonValue;
  return contentHashOf([content, rules]).slice(0, revisionLength);
}

/** As the object was, with as many replicas as it has now. */
function formerInput(input: RenderInput, { spec }: TemplateRevision): RenderInput {
  const object = cloneJson(spec.object) as KubeObject;
  const field = replicaFieldOf(input.kind);
  const now = input.object['spec'];
  if (field !== undefined && isJsonObject(now) && isJsonObject(object['spec'])) {
    if (now[field] === undefined) delete object['spec'][field];
    else object['spec'][field] = now[field];
  }
  return { ...input, object, overrides: overridesOfRules(spec.overrideRules ?? []), variant: undefined };
}
