import { isApiError, methodNotAllowed } from '#apimachinery/api-error.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { ResourceContext } from '../request/context.ts';
import { derivedContext } from '../request/derived-context.ts';
import { decodeDeleteOptions } from './decode-body.ts';
import { warnOfDependents } from './delete.ts';
import type { VerbEnvironment } from './environment.ts';
import { listObjects, scopeOf } from './list.ts';
import { parseDeletionOptions, parseListParameters, shownDeletion } from './options.ts';
import { targetOf, type VerbRequest } from './request.ts';
import type { ListResult } from './result.ts';
import { nameOf } from './selection.ts';

/** Deletes of one collection under way at once. */
const concurrency = 16;

/** DELETE of a collection (X5): what the selectors match at one state, one by one; not atomic. Returns them as listed. */
export async function deleteCollection(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): Promise<ListResult> {
  const { registry, tokens, admission } = environment;
  const target = targetOf(context);
  const { definition } = target.served;
  if (definition.namespaced && context.namespace === '')
    throw methodNotAllowed(definition, 'deletecollection');
  const { query } = context.info;
  const parameters = parseListParameters(query, false);
  // What is wrong with the selection is told before what is wrong with the options (handlers.DeleteCollection).
  scopeOf(context, parameters);
  const options = parseDeletionOptions(decodeDeleteOptions(request.body), query);
  warnOfDependents(context, options);
  const list = await listObjects(registry, tokens, context, parameters);
  const found = [...list.entries];
  const page = list.page();
  const gone: (CacheEntry | undefined)[] = new Array(found.length);

  const deleteOne = async (index: number): Promise<void> => {
    const entry = found[index]!;
    const name = nameOf(entry.key);
    try {
      await registry.delete({ ...target, name }, options, {
        admission: admission.for(derivedContext(context, { name }), options.dryRun, () =>
          shownDeletion(options),
        ),
      });
      // As it was listed, as kube-apiserver answers; what became of it is of another revision, or of none.
      gone[index] = entry;
    } catch (error) {
      // Somebody else was faster, or it is one that all workspaces share.
      const isShared = registry.shared?.of(target.workspace, definition.storedAs) !== undefined;
      if (isApiError(error, 'NotFound') || (isShared && isApiError(error, 'Forbidden'))) return;
      throw error;
    }
  };

  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < found.length && !failed && !context.signal.aborted) {
      try {
        await deleteOne(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  // Where some may be refused, what comes before the first that is has gone, and nothing behind it.
  const workers = options.preconditions === undefined ? concurrency : 1;
  await Promise.all(Array.from({ length: Math.min(workers, found.length) }, worker));
  return {
    type: 'list',
    served: list.served,
    revision: registry.storage.revision,
    entries: gone.filter((entry) => entry !== undefined),
    page: () => page,
  };
}
