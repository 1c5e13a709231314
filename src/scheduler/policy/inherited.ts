import type { OverrideSpec, PropagationSpec } from '#api/policy/placement.ts';
import { everyKind } from '#api/policy/propagation-policy.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { type Bound, type Bounds, boundOf, boundsOf } from '../algorithm/bounds.ts';
import type { OverrideSource } from '../projection/overrides.ts';
import { matchSelector, specificity } from './select-resource.ts';

/** What a workspace above projects is to those below. */
interface Ancestor {
  /** `root:acme`. */
  readonly path: string;
  /** 0 for root. */
  readonly depth: number;
}

interface InheritedPolicy extends Ancestor {
  /** Of the policy in its own workspace. */
  readonly key: string;
  readonly spec: PropagationSpec;
  readonly bound: Bound | undefined;
}

interface InheritedOverride extends Ancestor {
  readonly source: OverrideSource;
}

/** An object as inherited policies see it: whichever version it is read in. */
export interface BoundedObject {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** Sets of bounds remembered; past it they are made anew. */
const boundsMax = 10_000;

/**
 * Policies and overrides in workspaces above projects: those in `root` and in every workspace on a project's path hold for
 * the project. Pure state, no I/O; a change costs O(inherited policies).
 */
export class InheritedPolicies {
  readonly #policies = new Map<string, InheritedPolicy>();
  readonly #overrides = new Map<string, InheritedOverride>();
  /** Project path → the policies that bound something in it, outermost first. */
  readonly #bounding = new Map<string, readonly InheritedPolicy[]>();
  readonly #sets = new Map<string, Bounds>();

  put(key: string, workspace: string, name: string, spec: PropagationSpec): void {
    const bounds = spec.enforcement !== 'Default';
    this.#policies.set(key, {
      key,
      path: workspace,
      depth: depthOf(workspace),
      spec,
      bound: bounds ? boundOf(`${workspace}/${name}`, spec.placement, spec.suspension) : undefined,
    });
    this.#forgetDerived();
  }

  /** Returns the path of the workspace that it stood in; undefined when it was not there. */
  remove(key: string): string | undefined {
    const former = this.#policies.get(key);
    if (former === undefined) return undefined;
    this.#policies.delete(key);
    this.#forgetDerived();
    return former.path;
  }

  putOverride(key: string, workspace: string, name: string, spec: OverrideSpec): void {
    const depth = depthOf(workspace);
    this.#overrides.set(key, {
      path: workspace,
      depth,
      source: { name: `${workspace}/${name}`, namespace: undefined, spec, inheritedFrom: depth },
    });
  }

  removeOverride(key: string): void {
    this.#overrides.delete(key);
  }

  /** Keys of the policies above a project. */
  *keysAbove(projectPath: string): IterableIterator<string> {
    for (const { key, path } of this.#policies.values()) if (isAbove(path, projectPath)) yield key;
  }

  /** Overrides above a project. */
  *overridesAbove(projectPath: string): IterableIterator<OverrideSource> {
    for (const { path, source } of this.#overrides.values()) if (isAbove(path, projectPath)) yield source;
  }

  /** The bounds of all policies above a project, whatever they select. */
  boundsAbove(projectPath: string): readonly Bound[] {
    return this.#boundingIn(projectPath).flatMap(({ bound }) => (bound === undefined ? [] : [bound]));
  }

  /** What the policies above a project allow for one of its objects; undefined when none of them speaks of it. */
  boundsOf(projectPath: string, object: BoundedObject): Bounds | undefined {
    const bounding = this.#boundingIn(projectPath);
    if (bounding.length === 0) return undefined;
    const speaking = bounding.filter(({ spec }) => selects(spec, object));
    if (speaking.length === 0) return undefined;
    const identity = speaking.map(({ key }) => key).join('\n');
    let bounds = this.#sets.get(identity);
    if (bounds === undefined) {
      if (this.#sets.size >= boundsMax) this.#sets.clear();
      bounds = boundsOf(speaking.map(({ bound }) => bound as Bound));
      this.#sets.set(identity, bounds);
    }
    return bounds;
  }

  #boundingIn(projectPath: string): readonly InheritedPolicy[] {
    let list = this.#bounding.get(projectPath);
    if (list === undefined) {
      list = [...this.#policies.values()]
        .filter(({ path, bound }) => bound !== undefined && isAbove(path, projectPath))
        .sort((a, b) => a.depth - b.depth || ((a.bound?.name ?? '') < (b.bound?.name ?? '') ? -1 : 1));
      if (this.#bounding.size >= boundsMax) this.#bounding.clear();
      this.#bounding.set(projectPath, list);
    }
    return list;
  }

  #forgetDerived(): void {
    this.#bounding.clear();
    this.#sets.clear();
  }
}

/** `root` → 0, `root:acme` → 1. */
export function depthOf(path: string): number {
  return path.split(':').length - 1;
}

/** Whether a workspace lies on the path of another, which it is not itself. */
export function isAbove(path: string, below: string): boolean {
  return below.length > path.length && below.startsWith(path) && below[path.length] === ':';
}

function selects(spec: PropagationSpec, object: BoundedObject): boolean {
  return spec.resourceSelectors.some((selector) => {
    const { apiVersion, kind } = selector;
    if (kind !== everyKind) {
      // A version is no way around a bound.
      if (kind !== object.kind || parseApiVersion(apiVersion)?.group !== object.group) return false;
    }
    return matchSelector(selector, { ...object, apiVersion, kind }) !== specificity.none;
  });
}
