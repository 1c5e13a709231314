import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CachedStorage, CacheEntry, CacheSnapshot } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { rangePrefix } from '#storage/keys.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import type { Registry } from '../registry/registry.ts';
import { fromStorageError } from '../registry/storage-errors.ts';
import { entryOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { ContinuePosition, ContinueTokens } from './continue-token.ts';
import { awaitRevision, tooOld } from './freshness.ts';
import { type ListParameters, parseResourceVersion } from './options.ts';
import type { ListResult } from './result.ts';
import { parseSelection, type Selection } from './selection.ts';

/** Items fetched from the store at once when a page lies at a revision that the cache no longer has. */
const storePageItems = 1_000;

/** Where a list or watch looks: one resource of one workspace (or of all), perhaps one namespace of it. */
export interface Scope {
  readonly served: ServedResource;
  /** Undefined for `/clusters/*`. */
  readonly workspace: Workspace | undefined;
  readonly namespace: string;
  readonly prefix: string;
  readonly selection: Selection;
}

export function scopeOf(context: ResourceContext, parameters: ListParameters): Scope {
  const { served, workspace, namespace, name } = context;
  const byName = name === '' ? '' : `metadata.name=${name.replace(/[\\,=]/g, '\\$&')}`;
  const fields = [parameters.fieldSelector, byName].filter((one) => one !== '').join(',');
  return {
    served,
    workspace,
    namespace,
    prefix: rangePrefix(served.definition.storedAs, workspace?.id, namespace),
    selection: parseSelection(parameters.labelSelector, fields, served),
  };
}

/**
 * LIST (L1–L5): one consistent state, pages that all show the first page's revision, entries taken lazily. Synchronous
 * when the cache answers.
 */
export function listObjects(
  registry: Registry,
  tokens: ContinueTokens,
  context: ResourceContext,
  parameters: ListParameters,
): ListResult | Promise<ListResult> {
  const { storage } = registry;
  const scope = scopeOf(context, parameters);
  if (parameters.continue !== '') {
    const position = tokens.decode(parameters.continue, scope.prefix, scope.selection.text);
    if (parameters.resourceVersion !== '' && parameters.resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    return continueList(registry, tokens, scope, parameters, position);
  }
  const asked = parseResourceVersion(parameters.resourceVersion, 'invalid resource version: ');
  const isExact =
    asked !== undefined &&
    asked !== 0 &&
    (parameters.resourceVersionMatch === 'Exact' ||
      (parameters.resourceVersionMatch === '' && parameters.limit > 0));
  const waiting = asked === undefined ? storage.awaitFresh() : awaitRevision(storage, asked, isExact);
  const answer = (): ListResult | Promise<ListResult> =>
    isExact
      ? listAt(registry, tokens, scope, parameters, asked as Revision)
      : page(registry, tokens, scope, parameters, storage.snapshot(scope.prefix), undefined);
  return waiting === undefined ? answer() : waiting.then(answer);
}

function continueList(
  registry: Registry,
  tokens: ContinueTokens,
  scope: Scope,
  parameters: ListParameters,
  position: ContinuePosition,
): ListResult | Promise<ListResult> {
  const { storage } = registry;
  if (position.revision === 0) {
    const after = position.after;
    const answer = () => page(registry, tokens, scope, parameters, storage.snapshot(scope.prefix), after);
    const waiting = storage.awaitFresh();
    return waiting === undefined ? answer() : waiting.then(answer);
  }
  const waiting = awaitRevision(storage, position.revision);
  const answer = () => listAt(registry, tokens, scope, parameters, position.revision as Revision, position);
  return waiting === undefined ? answer() : waiting.then(answer);
}

/** The state at exactly one revision: from the cache, else from the store, else 410. */
function listAt(
  registry: Registry,
  tokens: ContinueTokens,
  scope: Scope,
  parameters: ListParameters,
  revision: Revision,
  position?: ContinuePosition,
): ListResult | Promise<ListResult> {
  const { storage } = registry;
  const after = position?.after;
  try {
    return page(registry, tokens, scope, parameters, storage.snapshot(scope.prefix, revision), after);
  } catch (error) {
    if (!isStorageError(error, 'compacted')) throw fromStorageError(error);
  }
  return storedSnapshot(storage, scope, revision, after, parameters.limit).then(
    (snapshot) => page(registry, tokens, scope, parameters, snapshot, after),
    (error: unknown) => {
      if (!isStorageError(error, 'compacted')) throw fromStorageError(error);
      throw expired(tokens, scope, revision, position, storage);
    },
  );
}

/** L4: an expired token comes back with one that goes on at the current revision. */
function expired(
  tokens: ContinueTokens,
  scope: Scope,
  revision: Revision,
  position: ContinuePosition | undefined,
  storage: CachedStorage,
): ApiError {
  if (position === undefined) return tooOld(revision, storage.revision);
  const fresh = tokens.encode({ revision: 0, after: position.after }, scope.prefix, scope.selection.text);
  return new ApiError(
    'Expired',
    'The continue token is too old: the state that the list began with is no longer kept. Start again without a token, or go on with the token in this answer, which continues at the newest state and so may miss or repeat what changed in between.',
    { metadata: { continue: fresh } },
  );
}

/** A state that has left the cache, read from the store: enough of it for one page, or all of it without a limit. */
async function storedSnapshot(
  storage: CachedStorage,
  scope: Scope,
  revision: Revision,
  after: string | undefined,
  limit: number,
): Promise<CacheSnapshot> {
  const items: CacheEntry[] = [];
  let startAfter = after === undefined ? undefined : ((scope.prefix + after) as StorageKey);
  let matched = 0;
  let remaining = 0;
  for (;;) {
    const result = await storage.range({
      prefix: scope.prefix,
      startAfter,
      limit: storePageItems,
      atRevision: revision,
    });
    remaining = result.remaining;
    for (const item of result.items) {
      const entry = entryOf(item);
      items.push(entry);
      if (scope.selection.matches(entry)) matched++;
    }
    const last = result.items.at(-1);
    if (!result.more || last === undefined || (limit > 0 && matched > limit)) break;
    startAfter = last.key;
  }
  return {
    revision,
    *entries(from) {
      for (const entry of items) if (from === undefined || entry.key > from) yield entry;
    },
    count(from) {
      let count = remaining;
      for (const { key } of items) if (from === undefined || key > from) count++;
      return count;
    },
  };
}

function page(
  registry: Registry,
  tokens: ContinueTokens,
  scope: Scope,
  { limit }: ListParameters,
  snapshot: CacheSnapshot,
  after: string | undefined,
): ListResult {
  const { prefix, selection } = scope;
  const startAfter = after === undefined ? undefined : ((prefix + after) as StorageKey);
  let lastKey: StorageKey | undefined;
  let hasMore = false;

  function* matching(): Generator<CacheEntry, void, undefined> {
    let taken = 0;
    for (const entry of mergedEntries(registry, scope, snapshot, startAfter)) {
      if (!selection.isEmpty && !selection.matches(entry)) continue;
      if (limit > 0 && taken === limit) {
        hasMore = true;
        return;
      }
      taken++;
      lastKey = entry.key;
      yield entry;
      // No later key can match a name in one namespace of one workspace.
      if (selection.name !== undefined && isSingle(scope)) return;
    }
  }

  return {
    type: 'list',
    served: scope.served,
    revision: snapshot.revision,
    entries: matching(),
    page: () => {
      if (!hasMore || lastKey === undefined) return {};
      const position = { revision: snapshot.revision, after: lastKey.slice(prefix.length) };
      const token = tokens.encode(position, prefix, selection.text);
      if (!selection.isEmpty) return { continue: token };
      return { continue: token, remainingItemCount: remainingAfter(registry, scope, snapshot, lastKey) };
    },
  };
}

/** Whether a name stands for at most one object. */
function isSingle({ workspace, namespace, served }: Scope): boolean {
  return workspace !== undefined && (namespace !== '' || !served.definition.namespaced);
}

/** Shared objects of the scope in key order, those that a stored object hides among them. */
function sharedEntries(registry: Registry, scope: Scope): readonly CacheEntry[] {
  if (scope.workspace === undefined) return [];
  const shared = registry.shared?.of(scope.workspace, scope.served.definition.storedAs);
  if (shared === undefined) return [];
  return shared.list(scope.workspace).filter(({ key }) => key.startsWith(scope.prefix));
}

/** Stored and shared entries in one order; of one key the stored one. */
export function* mergedEntries(
  registry: Registry,
  scope: Scope,
  snapshot: CacheSnapshot,
  startAfter: StorageKey | undefined,
): Generator<CacheEntry, void, undefined> {
  const shared = sharedEntries(registry, scope);
  if (shared.length === 0) {
    yield* snapshot.entries(startAfter);
    return;
  }
  let at = 0;
  if (startAfter !== undefined) while (at < shared.length && shared[at]!.key <= startAfter) at++;
  for (const entry of snapshot.entries(startAfter)) {
    while (at < shared.length && shared[at]!.key < entry.key) yield shared[at++]!;
    if (shared[at]?.key === entry.key) at++;
    yield entry;
  }
  while (at < shared.length) yield shared[at++]!;
}

function remainingAfter(
  registry: Registry,
  scope: Scope,
  snapshot: CacheSnapshot,
  lastKey: StorageKey,
): number {
  let count = snapshot.count(lastKey);
  // A count of what is left need not be exact: what is stored now is taken for stored then.
  for (const { key } of sharedEntries(registry, scope)) {
    if (key > lastKey && registry.storage.peek(key) === undefined) count++;
  }
  return count;
}
