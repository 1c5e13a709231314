import type { Placement } from '#api/policy/placement.ts';
import type { Peers } from '../algorithm/decision.ts';
import type { KeyParts, ProjectObjectKey } from '../object-key.ts';

/** The groups of workloads that an object belongs to by its policy's `workloadAffinity`, each one text; absent: none. */
export interface Membership {
  readonly affinity: string | undefined;
  readonly antiAffinity: string | undefined;
}

const no: Membership = { affinity: undefined, antiAffinity: undefined };
const noCells: ReadonlySet<string> = new Set();

interface Member extends Membership {
  readonly cells: readonly string[];
}

/**
 * Which workloads are to be together and which apart (PLACEMENT.md 1, workloadAffinity), and where they are by the decisions
 * so far. Pure state; bounded by the objects that belong to groups.
 */
export class AffinityGroups {
  readonly #members = new Map<ProjectObjectKey, Member>();
  readonly #groups = new Map<string, Set<ProjectObjectKey>>();

  /** Files where a member is. Returns the other members, for which that may make a difference; empty when nothing changed. */
  set(key: ProjectObjectKey, membership: Membership, cells: readonly string[]): Set<ProjectObjectKey> {
    const joins = membership.affinity !== undefined || membership.antiAffinity !== undefined;
    const known = this.#members.get(key);
    if (known === undefined && !joins) return new Set();
    const before = known ?? { ...no, cells: [] };
    const same =
      before.affinity === membership.affinity &&
      before.antiAffinity === membership.antiAffinity &&
      before.cells.length === cells.length &&
      before.cells.every((cell, i) => cell === cells[i]);
    if (same) return new Set();
    const affected = new Set([...this.#others(key, before), ...this.#others(key, membership)]);
    for (const group of groupsOf(before)) {
      const members = this.#groups.get(group);
      members?.delete(key);
      if (members?.size === 0) this.#groups.delete(group);
    }
    this.#members.delete(key);
    if (!joins) return affected;
    this.#members.set(key, { ...membership, cells: [...cells] });
    for (const group of groupsOf(membership)) {
      const members = this.#groups.get(group);
      if (members === undefined) this.#groups.set(group, new Set([key]));
      else members.add(key);
    }
    return affected;
  }

  /** The object is gone or belongs to no group any more. */
  drop(key: ProjectObjectKey): Set<ProjectObjectKey> {
    return this.set(key, no, []);
  }

  peersOf(key: ProjectObjectKey, membership: Membership): Peers {
    return {
      affinity: this.#cellsOf(key, withGroup(membership)),
      antiAffinity: this.#cellsOf(key, apartGroup(membership)) ?? noCells,
    };
  }

  #cellsOf(key: ProjectObjectKey, group: string | undefined): Set<string> | undefined {
    let cells: Set<string> | undefined;
    for (const member of (group === undefined ? undefined : this.#groups.get(group)) ?? []) {
      if (member === key) continue;
      for (const cell of this.#members.get(member)?.cells ?? []) {
        cells ??= new Set();
        cells.add(cell);
      }
    }
    return cells;
  }

  *#others(key: ProjectObjectKey, membership: Membership): IterableIterator<ProjectObjectKey> {
    for (const group of groupsOf(membership))
      for (const member of this.#groups.get(group) ?? []) if (member !== key) yield member;
  }
}

function withGroup({ affinity }: Membership): string | undefined {
  return affinity === undefined ? undefined : `with ${affinity}`;
}

function apartGroup({ antiAffinity }: Membership): string | undefined {
  return antiAffinity === undefined ? undefined : `apart ${antiAffinity}`;
}

function groupsOf(membership: Membership): string[] {
  return [withGroup(membership), apartGroup(membership)].filter((group) => group !== undefined);
}

/** The groups of an object by its policy's placement and its own labels; without the label it belongs to none. */
export function membershipOf(
  { workloadAffinity }: Placement,
  { cluster, namespace }: KeyParts,
  labels: Readonly<Record<string, string>> | undefined,
): Membership {
  const groupOf = (key: string | undefined): string | undefined => {
    const value = key === undefined || labels === undefined || !Object.hasOwn(labels, key) ? '' : labels[key];
    return value === '' || value === undefined ? undefined : `${cluster}|${namespace}|${key}=${value}`;
  };
  return {
    affinity: groupOf(workloadAffinity?.affinity?.groupByLabelKey),
    antiAffinity: groupOf(workloadAffinity?.antiAffinity?.groupByLabelKey),
  };
}
