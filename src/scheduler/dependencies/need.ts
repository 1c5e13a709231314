import type { PropagationSpec } from '#api/policy/placement.ts';
import { bindingName } from '#api/work/binding-name.ts';
import type { BindingSnapshot, ResourceBinding } from '#api/work/resource-binding.ts';
import type { CellSnapshot } from '../algorithm/cell.ts';
import type { Decision, RefusalCode, Target } from '../algorithm/decision.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from '../object-key.ts';
import { type PolicyMatch, type ResolvedPolicy, suspendedCells } from '../policy/policy-index.ts';
import { specificity } from '../policy/select-resource.ts';
import type { Requirement, Requirements } from './requirements.ts';

/** Under this key stand, in place of a policy's, objects that are only where others need them. */
export const followingPolicyKey = '|following';

const snapshotsMax = 500;
/** Cells named in one `requiredBy`, all entries together. */
const snapshotCellsMax = 5_000;

/** What others need of one object. */
export interface Need {
  readonly requirers: ReadonlyMap<ProjectObjectKey, Requirement>;
  /** Cells that the object must be in because others need it there. */
  readonly cells: ReadonlySet<string>;
  /** Who else may need it is not known: what lies in cells stays. */
  readonly uncertain: boolean;
}

export const noNeed: Need = { requirers: new Map(), cells: new Set(), uncertain: false };

/**
 * What others need of an object, by what is known now and by what its binding recorded. `waiting`: some who are recorded
 * were not looked at since the start, so nothing may be decided yet; the object is woken when they were.
 */
export function needOf(
  parts: KeyParts,
  present: ResourceBinding | undefined,
  requirements: Requirements,
  isBound: (key: KeyParts) => boolean,
): Need | 'waiting' {
  const key = keyOf(parts);
  const recorded = present?.spec.requiredBy ?? [];
  let uncertain = recorded.length >= snapshotsMax;
  let waiting = false;
  for (const snapshot of recorded) {
    const requirer = requirerOf(snapshot, parts.cluster);
    if (requirer === undefined) continue;
    const requirerKey = keyOf(requirer);
    if (requirements.isSettled(requirerKey) || !isBound(requirer)) continue;
    requirements.waitFor(requirerKey, key);
    if (requirements.wasTried(requirerKey)) uncertain = true;
    else waiting = true;
  }
  if (waiting) return 'waiting';
  const requirers = requirements.of(key);
  if (requirers.size === 0) return { requirers, cells: noNeed.cells, uncertain };
  const cells = new Set<string>();
  for (const requirement of requirers.values()) for (const cell of requirement.cells) cells.add(cell);
  return { requirers, cells, uncertain };
}

function requirerOf(snapshot: BindingSnapshot, cluster: string): KeyParts | undefined {
  const { namespace = '', resource = '', resourceName } = snapshot;
  const dot = resource.indexOf('.');
  if (dot < 0 || typeof resourceName !== 'string') return undefined;
  return {
    cluster,
    namespace,
    resource: resource.slice(0, dot),
    group: resource.slice(dot + 1),
    name: resourceName,
  };
}

/** What a requirer's policy and decision mean for what it needs. */
export function requirementOf(spec: PropagationSpec, cells: readonly string[]): Requirement {
  const suspended = suspendedCells(spec);
  return {
    cells: [...cells],
    overwrite: spec.conflictResolution === 'Overwrite',
    orphan: spec.preserveResourcesOnDeletion === true,
    suspended: typeof suspended === 'boolean' ? suspended : [...suspended],
  };
}

/** Stands for the policy of an object that only follows others: what one of them asks for holds. */
export function followingMatch(cluster: string, resource: DiscoveredResource, need: Need): PolicyMatch {
  const all = [...need.requirers.values()];
  const policy: ResolvedPolicy = {
    key: followingPolicyKey,
    cluster,
    namespace: undefined,
    name: '',
    uid: '',
    spec: {
      resourceSelectors: [],
      conflictResolution: all.some(({ overwrite }) => overwrite) ? 'Overwrite' : 'Abort',
      preserveResourcesOnDeletion: all.some(({ orphan }) => orphan),
    },
    selectors: [],
  };
  return { policy, resource, specificity: specificity.none };
}

export function isFollowing({ policy }: PolicyMatch): boolean {
  return policy.key === followingPolicyKey;
}

/** The decision for an object that no policy selects. */
export function followingDecision({ requirers }: Need, snapshot: CellSnapshot): Decision {
  return {
    outcome: 'Scheduled',
    message: `follows ${requirers.size} objects that need it`,
    targets: [],
    refusals: new Array<RefusalCode | undefined>(snapshot.cells.length).fill(undefined),
    affinity: undefined,
    recheckAtMs: undefined,
  };
}

/** The decision's targets and the cells that others need the object in, by name. */
export function withFollowed(targets: readonly Target[], cells: ReadonlySet<string>): readonly Target[] {
  if (cells.size === 0) return targets;
  const present = new Set(targets.map(({ name }) => name));
  const more: Target[] = [];
  for (const name of cells) if (!present.has(name)) more.push({ name, replicas: undefined });
  if (more.length === 0) return targets;
  return [...targets, ...more].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether nothing is to be dispatched to the cell: neither the object's own policy nor any that needs it there lets it. */
export function isSuspendedIn(
  cell: string,
  ownTargets: ReadonlySet<string>,
  own: boolean,
  need: Need,
): boolean {
  if (!need.cells.has(cell)) return own;
  if (ownTargets.has(cell) && !own) return false;
  for (const { cells, suspended } of need.requirers.values()) {
    if (!cells.includes(cell)) continue;
    if (!(typeof suspended === 'boolean' ? suspended : suspended.includes(cell))) return false;
  }
  return true;
}

/** Karmada's `requiredBy`, ordered, so that the same need is the same text. */
export function requiredBySnapshots({ requirers }: Need): BindingSnapshot[] {
  const keys = [...requirers.keys()].sort().slice(0, snapshotsMax);
  let cells = 0;
  return keys.map((key) => {
    const requirement = requirers.get(key) as Requirement;
    const { group, resource, namespace, name } = splitKey(key);
    cells += requirement.cells.length;
    return {
      ...(namespace === '' ? {} : { namespace }),
      name: bindingName(group, resource, name),
      resource: `${resource}.${group}`,
      resourceName: name,
      ...(cells > snapshotCellsMax ? {} : { clusters: requirement.cells.map((cell) => ({ name: cell })) }),
    };
  });
}
