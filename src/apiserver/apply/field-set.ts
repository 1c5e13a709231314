import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import { type PathElement, self, sortElements } from './path-element.ts';

/**
 * A set of field paths in the very form of FieldsV1 (KUBERNETES.md P4), so that reading and writing managedFields costs
 * nothing. A node without members is a leaf and belongs to the set; a node with members belongs to it when it has `.`.
 * The root is never a path: an empty root is the empty set. Immutable: all operations share what they do not change.
 *
 * Example: `{"f:spec":{"f:replicas":{},"f:labels":{".":{},"f:a":{}}}}` holds .spec.replicas, .spec.labels and
 * .spec.labels.a, but not .spec.
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

/** A set being built. */
export interface FieldSetDraft {
  [element: PathElement]: FieldSet;
}

export const leaf: FieldSet = Object.freeze({});
export const emptySet: FieldSet = leaf;

export function isEmptySet(root: FieldSet): boolean {
  for (const _ in root) return false;
  return true;
}

/** Whether a node below the root is itself a path of the set. */
export function isMember(node: FieldSet | undefined): boolean {
  return node !== undefined && (node[self] !== undefined || isEmptySet(node));
}

/** All paths of `a` and of `b`. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  return unionChildren(a, b, false);
}

function unionNode(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  return unionChildren(a, b, isMember(a) || isMember(b));
}

function unionChildren(a: FieldSet, b: FieldSet, member: boolean): FieldSet {
  let result: FieldSetDraft | undefined;
  for (const element in b) {
    if (element === self) continue;
    const mine = a[element];
    const theirs = b[element] as FieldSet;
    const merged = mine === undefined ? theirs : unionNode(mine, theirs);
    if (merged === mine) continue;
    result ??= { ...a };
    result[element] = merged;
  }
  if (member && a[self] === undefined && !(result === undefined && isEmptySet(a))) {
    result = { [self]: leaf, ...(result ?? a) };
  }
  return result ?? a;
}

/** The paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return differenceChildren(a, b, false) ?? emptySet;
}

function differenceNode(a: FieldSet, b: FieldSet | undefined): FieldSet | undefined {
  if (b === undefined) return a;
  return differenceChildren(a, b, isMember(a) && !isMember(b));
}

function differenceChildren(a: FieldSet, b: FieldSet, member: boolean): FieldSet | undefined {
  if (isEmptySet(a)) return member ? a : undefined;
  let changed = (a[self] !== undefined) !== member;
  let children = 0;
  const result: FieldSetDraft = {};
  if (member) result[self] = leaf;
  for (const element in a) {
    if (element === self) continue;
    const mine = a[element] as FieldSet;
    const rest = differenceNode(mine, b[element]);
    if (rest !== mine) changed = true;
    if (rest === undefined) continue;
    result[element] = rest;
    children++;
  }
  if (!changed) return a;
  if (children === 0) return member ? leaf : undefined;
  return result;
}

/** The paths that are in both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return intersectionChildren(a, b, false) ?? emptySet;
}

function intersectionChildren(a: FieldSet, b: FieldSet, member: boolean): FieldSet | undefined {
  const result: FieldSetDraft = {};
  let children = 0;
  if (member) result[self] = leaf;
  for (const element in a) {
    if (element === self) continue;
    const mine = a[element] as FieldSet;
    const theirs = b[element];
    if (theirs === undefined) continue;
    const common = intersectionChildren(mine, theirs, isMember(mine) && isMember(theirs));
    if (common === undefined) continue;
    result[element] = common;
    children++;
  }
  if (children === 0) return member ? leaf : undefined;
  return result;
}

/** `a` without the given paths and everything below them. */
export function withoutSubtrees(a: FieldSet, paths: readonly (readonly PathElement[])[]): FieldSet {
  let result: FieldSet = a;
  for (const path of paths) result = withoutSubtree(result, path, 0, true) ?? emptySet;
  return result;
}

function withoutSubtree(
  node: FieldSet,
  path: readonly PathElement[],
  at: number,
  root: boolean,
): FieldSet | undefined {
  const element = path[at];
  if (element === undefined) return undefined;
  const child = node[element];
  if (child === undefined) return node;
  const rest = withoutSubtree(child, path, at + 1, false);
  if (rest === child) return node;
  const { [element]: _, ...others } = node;
  if (rest !== undefined) return { ...others, [element]: rest };
  for (const other in others) if (other !== self) return others;
  return root || node[self] === undefined ? undefined : leaf;
}

/**
 * Calls `visit` for each path of the set: of each node its members, then what lies below them, as structured-merge-diff
 * walks a set (the order of conflicts). The array is reused between calls.
 */
export function forEachPath(set: FieldSet, visit: (path: readonly PathElement[]) => void): void {
  const path: PathElement[] = [];
  const walk = (node: FieldSet) => {
    const elements = sortElements(Object.keys(node)).filter((element) => element !== self);
    for (const element of elements) {
      if (!isMember(node[element] as FieldSet)) continue;
      path.push(element);
      visit(path);
      path.pop();
    }
    for (const element of elements) {
      path.push(element);
      walk(node[element] as FieldSet);
      path.pop();
    }
  };
  walk(set);
}

/**
 * The same set with its members in the order in which Kubernetes writes them; `set` itself when they already are.
 * `isKnown` tells of sets that they are, so that they need not be looked at.
 */
export function sorted(set: FieldSet, isKnown: (set: FieldSet) => boolean = () => false): FieldSet {
  if (isKnown(set)) return set;
  const elements = Object.keys(set);
  const order = sortElements(elements.slice());
  let changed = false;
  const children: FieldSet[] = [];
  for (let i = 0; i < order.length; i++) {
    const element = order[i] as string;
    if (element !== elements[i]) changed = true;
    const child = set[element] as FieldSet;
    const one = sorted(child, isKnown);
    if (one !== child) changed = true;
    children.push(one);
  }
  if (!changed) return set;
  const result: FieldSetDraft = {};
  for (let i = 0; i < order.length; i++) result[order[i] as string] = children[i] as FieldSet;
  return result;
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  return a === b || (isEmptySet(difference(a, b)) && isEmptySet(difference(b, a)));
}

/**
 * Reads a fieldsV1 that came from outside. Undefined when it is no tree of objects; elements of a kind that nobody
 * knows are left out, as upstream does.
 */
export function decodeFieldSet(value: JsonValue | undefined, depth = 0): FieldSet | undefined {
  if (!isJsonObject(value) || depth > 200) return undefined;
  let result: FieldSetDraft | undefined;
  for (const element in value) {
    const child = decodeFieldSet(value[element], depth + 1);
    if (child === undefined) return undefined;
    if (isKnownElement(element)) {
      if (child === value[element] && result === undefined) continue;
      result ??= knownBefore(value as FieldSet, element);
      result[element] = child;
    } else result ??= knownBefore(value as FieldSet, element);
  }
  return result ?? (value as FieldSet);
}

function knownBefore(value: FieldSet, until: PathElement): FieldSetDraft {
  const copy: FieldSetDraft = {};
  for (const element in value) {
    if (element === until) break;
    copy[element] = value[element] as FieldSet;
  }
  return copy;
}

function isKnownElement(element: string): boolean {
  if (element === self) return true;
  if (element.charCodeAt(1) !== 0x3a) return false;
  return 'fkvi'.includes(element.charAt(0));
}
