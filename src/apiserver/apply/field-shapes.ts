import { isAscii } from 'node:buffer';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type ApplyType, elementPath, formFor, memberPath, memberType } from './apply-type.ts';
import { isUnmanaged } from './compare.ts';
import { emptySet, type FieldSet, type FieldSetDraft, leaf } from './field-set.ts';
import { type PathElement, self, sortElements } from './path-element.ts';

/**
 * The fields that creating an object adds, and those that applying one claims, by the object's shape. Objects of one kind
 * written by one program differ in their values, hardly ever in their fields: so each way through an object's members is kept
 * as a path in a tree, at whose end the finished set lies, with its text. The second Deployment of a shape costs one look-up a
 * field.
 *
 *     {replicas: 3, paused: false}   root ─replicas─▶ ○ ─paused─▶ ● {"f:paused":{},"f:replicas":{}}
 */

/** Everything kept is forgotten when it comes to about this many bytes: shapes are few, or they are not worth keeping. */
const keptBytesMax = 8 * 1024 * 1024;
const stepBytes = 352;
const elementBytes = 64;
/** Containers with more members than this are not worth keeping: their shapes hardly repeat. */
const keptMembersMax = 512;

/**
 * What a container counts for. `all`: itself (`.`) and all that is in it. `bare`: it was there, empty: only what is in
 * it. The others: it was there with everything that Go's empty object of the kind has, so that the same holds below it;
 * `root` and `metadata` also leave out what is never managed.
 *
 * The modes of claims count what `appliedFields` counts: `claimed` itself and what is in it, `leading` (a declared field)
 * only what is in it.
 */
type Mode = 'all' | 'bare' | 'root' | 'metadata' | 'present' | ClaimMode;
type ClaimMode = 'claimed' | 'leading' | 'claimedRoot' | 'claimedMetadata';

/** A place in a tree of shapes: the members so far. */
interface Step {
  readonly before: Step | undefined;
  /** The member that led here; undefined at the start of the tree. */
  readonly path: PathElement | undefined;
  readonly set: FieldSet;
  /** For maps by name; for lists by the key's values, one map a key. */
  next: Level | undefined;
  /** What was asked for last and the branch it leads to: mostly it is asked for again. Not for lists with several keys. */
  lastKey: JsonValue | undefined;
  lastBranch: Branch | undefined;
  /** Made when an object first ends here; null: none. */
  made: FieldSet | undefined | null;
}

type Level = Map<JsonValue | undefined, unknown>;

/** A member after a step, whatever its value is. */
interface Branch {
  readonly path: PathElement;
  /** Never managed, or an element that a list of claims has already. */
  readonly skipped: boolean;
  /** An element that the list has already: duplicates have no members of their own. */
  readonly isRepeated: boolean;
  readonly type: ApplyType | undefined;
  readonly mode: Mode;
  /** Typed kinds know no null: what is not nullable is simply not there. */
  readonly nullIsAbsent: boolean;
  /** Where the shapes of the member's own members begin. */
  tree: Step | undefined;
  asLeaf: Step | undefined;
  bySet: Map<FieldSet, Step> | undefined;
  /** The set that was met last and the step behind it. */
  lastSet: FieldSet | undefined;
  lastStep: Step | undefined;
}

type Trees = { [mode in Mode]: Step | undefined };

let treesByType = new WeakMap<ApplyType, Trees>();
let setsByText = new Map<string, FieldSet>();
let texts = new WeakMap<FieldSet, string>();
/** Sets that shapes made: their members are in order. */
let known = new WeakSet<FieldSet>();
/** Of a set that a shape made: the one of the same text. */
let canonical = new WeakMap<FieldSet, FieldSet>();
let keptBytes = 0;

/**
 * All paths that creating `object` adds, sorted as FieldsV1 wants them. Containers that Go's empty object of the kind
 * has already are not added themselves, only what is in them.
 */
export function createdFields(type: ApplyType, object: KubeObject): FieldSet {
  if (keptBytes > keptBytesMax) forgetShapes();
  return ofMap(type, 'root', treeOf(type, 'root'), object) ?? emptySet;
}

/**
 * `appliedFields` of a configuration whose lists hold no element twice. The same set for the same text, also for sets
 * that were read with `fieldSetOfText`.
 */
export function claimedFields(type: ApplyType, config: JsonObject): FieldSet {
  if (keptBytes > keptBytesMax) forgetShapes();
  const set = ofMap(type, 'claimedRoot', treeOf(type, 'claimedRoot'), config) ?? emptySet;
  if (!known.has(set)) return set;
  let same = canonical.get(set);
  if (same === undefined) {
    const text = textOfFieldSet(set);
    same = isAscii(Buffer.from(text)) ? fieldSetOfText(text) : set;
    canonical.set(set, same);
  }
  return same;
}

/** Whether the set's members are known to stand in the order in which Kubernetes writes them. */
export function isInOrder(set: FieldSet): boolean {
  return set === leaf || known.has(set);
}

/** The set's JSON. Of a set that is kept it is made once. */
export function textOfFieldSet(set: FieldSet): string {
  if (set === leaf) return '{}';
  const made = texts.get(set);
  if (made !== undefined) return made;
  let text = '';
  for (const element in set) {
    text += `${text === '' ? '{' : ','}${JSON.stringify(element)}:${textOfFieldSet(set[element] as FieldSet)}`;
  }
  text = text === '' ? '{}' : `${text}}`;
  if (!known.has(set)) return text;
  // Out of bytes it is one piece; kept as hundreds of joined ones, it would be put together at every use.
  const whole = Buffer.from(text).toString();
  texts.set(set, whole);
  keptBytes += whole.length;
  return whole;
}

/**
 * The set whose JSON this is, ASCII, as this server has written it. Kept like a shape: frozen, and the same for the same
 * text.
 */
export function fieldSetOfText(text: string): FieldSet {
  let set = setsByText.get(text);
  if (set === undefined) {
    if (keptBytes > keptBytesMax) forgetShapes();
    set = keep(JSON.parse(text) as FieldSet);
    // A copy: what was cut out of a body would keep the body.
    const own = Buffer.from(text, 'latin1').toString('latin1');
    setsByText.set(own, set);
    texts.set(set, own);
    keptBytes += text.length + stepBytes;
  }
  return set;
}

function keep(set: FieldSet): FieldSet {
  const kept: FieldSetDraft = {};
  let count = 0;
  for (const element in set) {
    kept[element] = keep(set[element] as FieldSet);
    count++;
  }
  if (count === 0) return leaf;
  keptBytes += stepBytes + count * elementBytes;
  known.add(kept);
  return Object.freeze(kept);
}

function forgetShapes(): void {
  treesByType = new WeakMap();
  setsByText = new Map();
  texts = new WeakMap();
  known = new WeakSet();
  canonical = new WeakMap();
  keptBytes = 0;
}

function treeOf(type: ApplyType, mode: Mode): Step {
  let trees = treesByType.get(type);
  if (trees === undefined) {
    trees = {
      all: undefined,
      bare: undefined,
      root: undefined,
      metadata: undefined,
      present: undefined,
      claimed: undefined,
      leading: undefined,
      claimedRoot: undefined,
      claimedMetadata: undefined,
    };
    treesByType.set(type, trees);
  }
  let tree = trees[mode];
  if (tree === undefined) {
    tree = start();
    trees[mode] = tree;
    keptBytes += stepBytes;
  }
  return tree;
}

function start(): Step {
  return newStep(undefined, undefined, leaf);
}

function stepAfter(before: Step, path: PathElement, set: FieldSet): Step {
  keptBytes += stepBytes;
  return newStep(before, path, set);
}

function newStep(before: Step | undefined, path: PathElement | undefined, set: FieldSet): Step {
  return {
    before,
    path,
    set,
    next: undefined,
    lastKey: undefined,
    lastBranch: undefined,
    made: undefined,
  };
}

/** The fields of a container; undefined when it adds none. */
function ofValue(branch: Branch, value: JsonObject | JsonValue[]): FieldSet | undefined {
  const { type, mode } = branch;
  const form = type === undefined ? 'leaf' : formFor(type, value);
  if (type === undefined || form === 'leaf') {
    // An atomic struct by value is in Go's empty object, empty: only what is in it would change it.
    return mode === 'present' && !Array.isArray(value) && isEmpty(value) ? undefined : leaf;
  }
  let set: FieldSet | undefined;
  if (form === 'list') {
    const ofItems = listMode(mode);
    branch.tree ??= treeOf(type, ofItems);
    set = ofList(type, ofItems, branch.tree, value as JsonValue[]);
  } else {
    branch.tree ??= treeOf(type, mode);
    set = ofMap(type, mode, branch.tree, value as JsonObject);
  }
  if (set !== undefined || countsItself(mode)) return set ?? leaf;
  // An empty container is a leaf, but for lists that nobody need claim.
  return mode === 'leading' && form === 'map' && isEmpty(value as JsonObject) ? leaf : undefined;
}

type ListMode = 'all' | 'bare' | 'claimed' | 'leading';

function listMode(mode: Mode): ListMode {
  return mode === 'all' || mode === 'claimed' || mode === 'leading' ? mode : 'bare';
}

function countsItself(mode: Mode): boolean {
  return mode === 'all' || mode === 'claimed';
}

function isEmpty(map: JsonObject): boolean {
  for (const _ in map) return false;
  return true;
}

function ofMap(type: ApplyType, mode: Mode, tree: Step, value: JsonObject): FieldSet | undefined {
  let step = tree;
  let count = 0;
  for (const name in value) {
    const member = value[name];
    if (member === undefined) continue;
    if (++count > keptMembersMax) return ofLargeMap(type, mode, value);
    const known = step.lastBranch;
    const branch = known !== undefined && step.lastKey === name ? known : branchOf(type, mode, step, name);
    step = take(step, branch, member);
  }
  return finished(step, countsItself(mode));
}

function branchOf(type: ApplyType, mode: Mode, step: Step, name: string): Branch {
  step.next ??= new Map();
  let branch = step.next.get(name) as Branch | undefined;
  if (branch === undefined) {
    branch = memberBranch(type, mode, name);
    step.next.set(name, branch);
    keptBytes += stepBytes;
  }
  step.lastKey = name;
  step.lastBranch = branch;
  return branch;
}

function ofList(
  type: ApplyType,
  mode: ListMode,
  tree: Step,
  value: readonly JsonValue[],
): FieldSet | undefined {
  if (value.length > keptMembersMax) return ofLargeList(type, mode, value);
  let step = tree;
  for (const item of value) {
    const branch = elementBranch(type, mode, step, item);
    if (branch !== undefined) step = take(step, branch, item);
  }
  return finished(step, countsItself(mode));
}

function ofLargeMap(type: ApplyType, mode: Mode, value: JsonObject): FieldSet | undefined {
  const sets = new Map<PathElement, FieldSet>();
  for (const name in value) {
    const member = value[name];
    if (member === undefined) continue;
    const branch = memberBranch(type, mode, name);
    const set = setOf(branch, member);
    if (set !== undefined) sets.set(branch.path, set);
  }
  return assemble(sets, countsItself(mode));
}

function ofLargeList(type: ApplyType, mode: ListMode, value: readonly JsonValue[]): FieldSet | undefined {
  const sets = new Map<PathElement, FieldSet>();
  for (const item of value) {
    const branch = newElementBranch(type, mode, undefined, item);
    if (branch === undefined) continue;
    const isTakenAlready = sets.has(branch.path);
    if (isTakenAlready && branch.mode === 'claimed') continue;
    const set = isTakenAlready ? leaf : setOf(branch, item);
    if (set !== undefined) sets.set(branch.path, set);
  }
  return assemble(sets, countsItself(mode));
}

function take(step: Step, branch: Branch, value: JsonValue): Step {
  const set = setOf(branch, value);
  if (set === undefined) return step;
  if (set === leaf) {
    branch.asLeaf ??= stepAfter(step, branch.path, leaf);
    return branch.asLeaf;
  }
  if (branch.lastStep !== undefined && branch.lastSet === set) return branch.lastStep;
  branch.bySet ??= new Map();
  let next = branch.bySet.get(set);
  if (next === undefined) {
    next = stepAfter(step, branch.path, set);
    branch.bySet.set(set, next);
  }
  branch.lastSet = set;
  branch.lastStep = next;
  return next;
}

/** The fields of a member; undefined when it adds none. */
function setOf(branch: Branch, value: JsonValue): FieldSet | undefined {
  if (branch.skipped) return undefined;
  if (branch.isRepeated) return leaf;
  if (value === null) return branch.nullIsAbsent ? undefined : leaf;
  if (typeof value === 'object') return ofValue(branch, value);
  // Go's empty object says the same.
  return branch.mode === 'bare' && (value === '' || value === 0 || value === false) ? undefined : leaf;
}

function memberBranch(type: ApplyType, mode: Mode, name: string): Branch {
  const field = type.fields?.get(name);
  const child = field?.type ?? memberType(type, name);
  return {
    path: field?.path ?? memberPath(type, name),
    skipped: isUnmanagedIn(mode, name),
    isRepeated: false,
    type: child,
    mode: isClaim(mode) ? claimMode(mode, name, field !== undefined) : memberMode(mode, name, field),
    nullIsAbsent: !isClaim(mode) && child?.schema !== undefined && child.schema.nullable !== true,
    tree: undefined,
    asLeaf: undefined,
    bySet: undefined,
    lastSet: undefined,
    lastStep: undefined,
  };
}

function isUnmanagedIn(mode: Mode, name: string): boolean {
  const isRoot = mode === 'root' || mode === 'claimedRoot';
  if (!isRoot && mode !== 'metadata' && mode !== 'claimedMetadata') return false;
  return isUnmanaged(isRoot, name);
}

function isClaim(mode: Mode): mode is ClaimMode {
  return mode === 'claimed' || mode === 'leading' || mode === 'claimedRoot' || mode === 'claimedMetadata';
}

function claimMode(mode: ClaimMode, name: string, isDeclared: boolean): ClaimMode {
  if (mode === 'claimedRoot' && name === 'metadata') return 'claimedMetadata';
  return isDeclared ? 'leading' : 'claimed';
}

function memberMode(
  mode: Mode,
  name: string,
  field: { readonly inEmptyObject: boolean; readonly byValue: boolean } | undefined,
): Mode {
  if (mode === 'all' || mode === 'bare') return 'all';
  if (mode === 'root' && name === 'metadata') return 'metadata';
  if (field?.inEmptyObject !== true) return 'all';
  return field.byValue ? 'present' : 'bare';
}

/** Undefined for an element that has no place in the set. */
function elementBranch(type: ApplyType, mode: ListMode, step: Step, item: JsonValue): Branch | undefined {
  const { keys, form } = type;
  const object = form === 'keyedList' && isJsonObject(item) ? item : undefined;
  if (form === 'keyedList' && object === undefined) return undefined;
  if (keys.length === 1 || object === undefined) {
    const key = object === undefined ? item : object[keys[0] as string];
    if (step.lastBranch !== undefined && step.lastKey === key) return step.lastBranch;
  }
  // Found by what its path is made of, so that the path need not be made.
  step.next ??= new Map();
  let level: Level = step.next;
  const last = object === undefined ? 0 : keys.length - 1;
  for (let index = 0; index < last; index++) {
    const key = object?.[keys[index] as string];
    if (typeof key === 'object') return newElementBranch(type, mode, step, item);
    let below = level.get(key) as Level | undefined;
    if (below === undefined) {
      below = new Map();
      level.set(key, below);
      keptBytes += stepBytes;
    }
    level = below;
  }
  const key = object === undefined ? item : object[keys[last] as string];
  if (typeof key === 'object') return newElementBranch(type, mode, step, item);
  let branch = level.get(key) as Branch | undefined;
  if (branch === undefined) {
    branch = newElementBranch(type, mode, step, item);
    if (branch === undefined) return undefined;
    level.set(key, branch);
    keptBytes += stepBytes;
  }
  if (last <= 0) {
    step.lastKey = key;
    step.lastBranch = branch;
  }
  return branch;
}

function newElementBranch(
  type: ApplyType,
  mode: ListMode,
  step: Step | undefined,
  item: JsonValue,
): Branch | undefined {
  const at = elementPath(type, item);
  if ('error' in at) return undefined;
  const isClaim = mode === 'claimed' || mode === 'leading';
  const isTakenAlready = isTaken(step, at.path);
  return {
    path: at.path,
    skipped: isTakenAlready && isClaim,
    isRepeated: isTakenAlready && !isClaim,
    type: type.element,
    mode: isClaim ? 'claimed' : 'all',
    nullIsAbsent: false,
    tree: undefined,
    asLeaf: undefined,
    bySet: undefined,
    lastSet: undefined,
    lastStep: undefined,
  };
}

function isTaken(step: Step | undefined, path: PathElement): boolean {
  for (let at = step; at !== undefined; at = at.before) if (at.path === path) return true;
  return false;
}

function finished(step: Step, countsItself: boolean): FieldSet | undefined {
  if (step.made === undefined) {
    const sets = new Map<PathElement, FieldSet>();
    for (let at = step; at.path !== undefined; at = at.before as Step) {
      // From the last to the first: what says that an element is repeated comes after it.
      if (!sets.has(at.path)) sets.set(at.path, at.set);
    }
    step.made = assemble(sets, countsItself) ?? null;
    keptBytes += sets.size * elementBytes;
    if (step.made !== null) known.add(Object.freeze(step.made));
  }
  return step.made ?? undefined;
}

function assemble(sets: ReadonlyMap<PathElement, FieldSet>, countsItself: boolean): FieldSet | undefined {
  if (sets.size === 0) return undefined;
  const made: FieldSetDraft = {};
  if (countsItself) made[self] = leaf;
  for (const path of sortElements([...sets.keys()])) made[path] = sets.get(path) as FieldSet;
  return made;
}
