import fastJsonPatch from 'fast-json-patch';
import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue, jsonText } from '#apimachinery/json.ts';
import { unescapeToken } from '#apimachinery/json-pointer.ts';
import { PatchTestFailed, patchTooLarge, unprocessablePatch } from './patch-error.ts';

/** KUBERNETES.md P1. */
const jsonPatchOperationsMax = 10_000;

/** What all `copy` operations of one patch may copy together, in bytes: otherwise 30 of them make a gigabyte. */
const copiedBytesMax = 3 * 1024 * 1024;

/**
 * Applies a JSON patch (RFC 6902) and returns the result. Neither argument is changed; untouched subtrees are shared
 * with `document`. Throws 400 when `operations` is not a list of objects, 413 above 10,000 operations or 3 MiB of
 * copies, 422 when an operation is unknown or does not apply; then nothing has happened.
 */
export function applyJsonPatch(document: JsonValue, operations: JsonValue): JsonValue {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch must be a list of operations');
  if (operations.length > jsonPatchOperationsMax) {
    throw patchTooLarge(
      `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${operations.length}`,
    );
  }
  const run: Run = { root: document, own: new Set(), copiedBytes: 0 };
  for (let index = 0; index < operations.length; index++) {
    const operation = operations[index];
    if (!isJsonObject(operation)) throw badRequest('a JSON patch must be a list of operations');
    applyOne(run, operation, index);
  }
  return run.root;
}

interface Run {
  root: JsonValue;
  /** Containers that this run made itself and so may change. */
  readonly own: Set<object>;
  copiedBytes: number;
}

function applyOne(run: Run, sent: JsonObject, index: number): void {
  if (typeof sent['path'] !== 'string') throw unprocessablePatch(`operation ${index}: missing path`);
  for (const field of ['path', 'from']) refuseProto(sent[field], index);
  const operation = leniently(run.root, sent);
  const path = operation['path'] as string;
  const kind = operation['op'];
  if (kind === 'test' && testsAbsence(run.root, path, operation['value'])) return;
  refuseAbsent(run.root, operation);
  if (kind !== 'test') own(run, path);
  const from = operation['from'];
  if (kind === 'move' && typeof from === 'string') {
    refuseMoveIntoItself(from, path, index);
    own(run, from);
  }
  if (kind === 'copy' && typeof from === 'string') countCopy(run, from);
  const value = operation['value'];
  const mine = typeof value === 'object' && value !== null && kind !== 'test';
  const given = mine ? { ...operation, value: cloneJson(value) } : operation;
  try {
    // The validator refuses all that RFC 6902 calls an error, and the last argument all writes to prototypes.
    const applied = fastJsonPatch.applyOperation(
      run.root,
      given as unknown as fastJsonPatch.Operation,
      true,
      true,
      true,
      index,
    );
    run.root = applied.newDocument;
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    const why = describe(cause, run.root, operation);
    const isTest = cause instanceof fastJsonPatch.JsonPatchError && cause.name === 'TEST_OPERATION_FAILED';
    throw unprocessablePatch(isTest ? new PatchTestFailed(why) : why);
  }
  if (mine) markOwn(run, given['value']);
}

/** No document has such a member: decoding refuses it. */
function refuseProto(pointer: JsonValue | undefined, index: number): void {
  if (typeof pointer !== 'string' || !pointer.includes('__proto__')) return;
  if (pointer.split('/').includes('__proto__'))
    throw unprocessablePatch(`operation ${index}: __proto__ is no member`);
}

/**
 * What Kubernetes' patch library takes beyond RFC 6902, and users rely on: negative indices count from the end, `replace`
 * of an absent member adds it, `copy` of one adds null (evanphx/json-patch v4 partialDoc.get, SupportNegativeIndices).
 */
function leniently(root: JsonValue, sent: JsonObject): JsonObject {
  const operation = { ...sent };
  // A value that is not given is null.
  if (takesValue.has(sent['op']) && sent['value'] === undefined) operation['value'] = null;
  for (const field of ['path', 'from']) {
    const pointer = operation[field];
    if (typeof pointer === 'string' && negativeIndex.test(pointer)) {
      operation[field] = fromTheFront(root, pointer, field === 'path' && sent['op'] === 'add' ? 1 : 0);
    }
  }
  const { op, path, from } = operation;
  if (op === 'replace' && isAbsentMember(root, path as string)) operation['op'] = 'add';
  if (op === 'copy' && typeof from === 'string' && isAbsentMember(root, from)) {
    return { op: 'add', path: path as string, value: null };
  }
  return operation;
}

const takesValue: ReadonlySet<JsonValue | undefined> = new Set(['add', 'replace', 'test']);

const negativeIndex = /\/-\d/;

/** The pointer with negative indices counted from the front; `add` may name the place behind the last element. */
function fromTheFront(root: JsonValue, pointer: string, beyond: 0 | 1): string {
  const segments = pointer.split('/');
  let value: JsonValue | undefined = root;
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i] as string;
    if (Array.isArray(value) && /^-\d+$/.test(segment)) {
      const places = value.length + (i === segments.length - 1 ? beyond : 0);
      const index = places + Number(segment);
      if (index >= 0) segments[i] = String(index);
    }
    value = value === undefined ? undefined : childOf(value, segments[i] as string);
  }
  return segments.join('/');
}

function isAbsentMember(root: JsonValue, pointer: string): boolean {
  if (pointer === '') return false;
  const cut = pointer.lastIndexOf('/');
  const parent = resolve(root, pointer.slice(0, cut));
  return isJsonObject(parent) && !Object.hasOwn(parent, unescapeToken(pointer.slice(cut + 1)));
}

/** RFC 6902, 4.4: what is moved cannot become part of itself. */
function refuseMoveIntoItself(from: string, path: string, index: number): void {
  const source = from.split('/').map(unescapeToken);
  const target = path.split('/').map(unescapeToken);
  if (source.length >= target.length || source.some((segment, at) => segment !== target[at])) return;
  throw unprocessablePatch(`operation ${index} (move ${path}) does not apply: it lies in ${from}`);
}

/** The library looks members up by name alone, and so finds `toString` and its like on every object. */
function refuseAbsent(root: JsonValue, { op, path, from }: JsonObject): void {
  const needed = op === 'copy' || op === 'move' ? from : op === 'add' ? undefined : path;
  if (typeof needed !== 'string' || resolve(root, needed) !== undefined) return;
  // A member that is absent where it could be is another value, not a wrong path (evanphx/json-patch v4 Patch.test).
  if (op === 'test' && isAbsentMember(root, needed))
    throw unprocessablePatch(new PatchTestFailed(`testing value ${needed} failed: test failed`));
  throw unprocessablePatch(absent(root, op, jsonText(path), needed));
}

/** What the library says of a place that is not there: its parent, or itself in a parent that is. */
function absent(root: JsonValue, op: JsonValue | undefined, path: string, needed: string): string {
  const cut = needed.lastIndexOf('/');
  const hasParent = cut >= 0 && resolve(root, needed.slice(0, cut)) !== undefined;
  const last = unescapeToken(needed.slice(cut + 1));
  switch (op) {
    case 'remove':
      return hasParent
        ? `error in remove for path: '${path}': Unable to remove nonexistent key: ${last}: missing value`
        : `remove operation does not apply: doc is missing path: "${path}": missing value`;
    case 'add':
      return `add operation does not apply: doc is missing path: "${path}": missing value`;
    case 'move':
    case 'copy':
      // `copy` of a member that is absent is of null: it does not come here.
      return hasParent && op === 'move'
        ? `error in move for path: '${last}': Unable to remove nonexistent key: ${last}: missing value`
        : `${op} operation does not apply: doc is missing from path: ${needed}: missing value`;
    case 'replace':
      return `replace operation does not apply: doc is missing path: ${path}: missing value`;
    case 'test':
      return `test operation does not apply: is missing path: ${path}: missing value`;
    default:
      return `Unexpected kind: ${jsonText(op)}`;
  }
}

/** Kubernetes' patch library lets `test` with value null, or without one, pass on a member that is absent. */
function testsAbsence(root: JsonValue, path: string, value: JsonValue | undefined): boolean {
  return (value === null || value === undefined) && isAbsentMember(root, path);
}

/** Replaces every shared container above `pointer`'s last segment by a shallow copy, so that the write stays ours. */
function own(run: Run, pointer: string): void {
  const segments = pointer.split('/');
  run.root = owned(run, run.root);
  let container = run.root;
  for (let i = 1; i < segments.length - 1; i++) {
    const child = childOf(container, segments[i] as string);
    if (typeof child !== 'object' || child === null) return;
    const copy = owned(run, child);
    if (copy !== child) (container as JsonObject)[unescapeToken(segments[i] as string)] = copy;
    container = copy;
  }
}

function owned(run: Run, value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null || run.own.has(value)) return value;
  const copy = Array.isArray(value) ? value.slice() : { ...value };
  run.own.add(copy);
  return copy;
}

function markOwn(run: Run, value: JsonValue | undefined): void {
  if (typeof value === 'object' && value !== null) run.own.add(value);
}

function resolve(root: JsonValue, pointer: string): JsonValue | undefined {
  if (pointer === '') return root;
  let value: JsonValue | undefined = root;
  const segments = pointer.split('/');
  for (let i = 1; i < segments.length && value !== undefined; i++)
    value = childOf(value, segments[i] as string);
  return value;
}

function childOf(container: JsonValue, segment: string): JsonValue | undefined {
  if (typeof container !== 'object' || container === null) return undefined;
  const key = unescapeToken(segment);
  return Object.hasOwn(container, key) ? (container as JsonObject)[key] : undefined;
}

function countCopy(run: Run, from: string): void {
  const value = resolve(run.root, from);
  if (value === undefined) return;
  run.copiedBytes += JSON.stringify(value).length;
  if (run.copiedBytes > copiedBytesMax) {
    throw patchTooLarge(`the copy operations of the JSON patch exceed ${copiedBytesMax} bytes`);
  }
}

/** What evanphx/json-patch says of an operation that cannot be done. */
function describe(cause: unknown, root: JsonValue, operation: JsonObject): string {
  const name = cause instanceof fastJsonPatch.JsonPatchError ? cause.name : undefined;
  const [op, path, from] = [operation['op'], operation['path'], operation['from']];
  switch (name) {
    case 'OPERATION_PATH_UNRESOLVABLE':
    case 'OPERATION_PATH_CANNOT_ADD':
      return absent(root, op, jsonText(path), jsonText(path));
    case 'OPERATION_FROM_UNRESOLVABLE':
      return absent(root, op, jsonText(path), jsonText(from));
    case 'TEST_OPERATION_FAILED':
      return `testing value ${jsonText(path)} failed: test failed`;
    case 'OPERATION_OP_INVALID':
      return `Unexpected kind: ${jsonText(op)}`;
    case undefined:
      return cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
    default:
      return `${jsonText(op)} operation does not apply: ${name.toLowerCase().replaceAll('_', ' ')}`;
  }
}
