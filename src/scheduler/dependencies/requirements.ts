import { equalJson } from '#apimachinery/json.ts';
import type { ProjectObjectKey } from '../object-key.ts';

/** One object's need of another, and what of its policy holds for what it needs as well. */
export type Requirement = {
  /** Cells that the requirer lies in, ordered by name. */
  cells: string[];
  overwrite: boolean;
  orphan: boolean;
  /** Cells that nothing is dispatched to; `true`: none at all. */
  suspended: boolean | string[];
};

/**
 * Which objects others need, and where: what `propagateDeps` makes of the decisions so far. Held in memory alone; bindings
 * keep who requires them (`spec.requiredBy`), so that after a restart nothing is withdrawn before all who are named there
 * were asked again. Bounded by what the placed objects name.
 */
export class Requirements {
  readonly #byRequired = new Map<ProjectObjectKey, Map<ProjectObjectKey, Requirement>>();
  readonly #byRequirer = new Map<ProjectObjectKey, ReadonlySet<ProjectObjectKey>>();
  /** Requirers that were looked at since the start, with or without success. */
  readonly #tried = new Set<ProjectObjectKey>();
  /** Requirer not known yet → what it is named by. */
  readonly #waiting = new Map<ProjectObjectKey, Set<ProjectObjectKey>>();

  /** By requirer; empty when nobody needs it. */
  of(required: ProjectObjectKey): ReadonlyMap<ProjectObjectKey, Requirement> {
    return this.#byRequired.get(required) ?? none;
  }

  isRequired(key: ProjectObjectKey): boolean {
    return this.#byRequired.has(key);
  }

  /** What the requirer needs is known: it was decided since the start. */
  isSettled(requirer: ProjectObjectKey): boolean {
    return this.#byRequirer.has(requirer);
  }

  wasTried(requirer: ProjectObjectKey): boolean {
    return this.#tried.has(requirer);
  }

  /** Files what a requirer needs now. Returns the keys for which that makes a difference. */
  set(
    requirer: ProjectObjectKey,
    required: ReadonlySet<ProjectObjectKey>,
    requirement: Requirement,
  ): Set<ProjectObjectKey> {
    const affected = this.#settled(requirer);
    const former = this.#byRequirer.get(requirer);
    for (const key of former ?? []) {
      if (required.has(key)) continue;
      this.#unfile(key, requirer);
      affected.add(key);
    }
    for (const key of required) {
      let requirers = this.#byRequired.get(key);
      if (requirers === undefined) {
        requirers = new Map();
        this.#byRequired.set(key, requirers);
      }
      const before = requirers.get(requirer);
      if (before !== undefined && equalJson(before, requirement)) continue;
      requirers.set(requirer, requirement);
      affected.add(key);
    }
    this.#byRequirer.set(requirer, required.size === 0 ? noKeys : required);
    return affected;
  }

  /** The requirer is gone or no longer placed. Returns the keys for which that makes a difference. */
  drop(requirer: ProjectObjectKey): Set<ProjectObjectKey> {
    const affected = this.#settled(requirer);
    for (const key of this.#byRequirer.get(requirer) ?? []) {
      this.#unfile(key, requirer);
      affected.add(key);
    }
    this.#byRequirer.delete(requirer);
    this.#tried.delete(requirer);
    return affected;
  }

  /** The requirer could not be decided: those that wait for it go by what was recorded. Returns them. */
  fail(requirer: ProjectObjectKey): Set<ProjectObjectKey> {
    if (this.#byRequirer.has(requirer) || this.#tried.has(requirer)) return new Set();
    this.#tried.add(requirer);
    // They wait on: a later success may still change them.
    return new Set(this.#waiting.get(requirer) ?? []);
  }

  /** `required` is to be looked at again when the requirer is settled or dropped. */
  waitFor(requirer: ProjectObjectKey, required: ProjectObjectKey): void {
    const waiting = this.#waiting.get(requirer);
    if (waiting === undefined) this.#waiting.set(requirer, new Set([required]));
    else waiting.add(required);
  }

  #settled(requirer: ProjectObjectKey): Set<ProjectObjectKey> {
    const waiting = this.#waiting.get(requirer);
    this.#waiting.delete(requirer);
    this.#tried.delete(requirer);
    return new Set(waiting ?? []);
  }

  #unfile(required: ProjectObjectKey, requirer: ProjectObjectKey): void {
    const requirers = this.#byRequired.get(required);
    requirers?.delete(requirer);
    if (requirers?.size === 0) this.#byRequired.delete(required);
  }
}

const none: ReadonlyMap<ProjectObjectKey, Requirement> = new Map();
const noKeys: ReadonlySet<ProjectObjectKey> = new Set();
