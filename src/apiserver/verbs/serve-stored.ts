import { methodNotAllowed } from '#apimachinery/api-error.ts';
import type { ResourceContext } from '../request/context.ts';
import { createObject } from './create.ts';
import { deleteObject } from './delete.ts';
import { deleteCollection } from './delete-collection.ts';
import type { ReadEnvironment, VerbEnvironment } from './environment.ts';
import { getObject } from './get.ts';
import { listObjects } from './list.ts';
import { parseListParameters } from './options.ts';
import { patchObject } from './patch.ts';
import type { VerbRequest } from './request.ts';
import type { VerbResult } from './result.ts';
import { updateObject } from './update.ts';
import { watchObjects } from './watch.ts';

/** get, list and watch of a resource's objects; throws MethodNotAllowed for any other verb. */
export function serveReading(
  { registry, tokens, watch }: ReadEnvironment,
  context: ResourceContext,
): VerbResult | Promise<VerbResult> {
  const { verb, query } = context.info;
  switch (verb) {
    case 'get':
      return getObject(registry, context);
    case 'list':
      return listObjects(registry, tokens, context, parseListParameters(query, false));
    case 'watch':
      return watchObjects(watch, context, parseListParameters(query, true));
    default:
      throw methodNotAllowed(context.served.definition, verb);
  }
}

/** The generic verbs of a resource whose objects are stored. */
export function serveStored(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): VerbResult | Promise<VerbResult> {
  switch (context.info.verb) {
    case 'create':
      return createObject(environment, context, request);
    case 'update':
      return updateObject(environment, context, request);
    case 'patch':
      return patchObject(environment, context, request);
    case 'delete':
      return deleteObject(environment, context, request);
    case 'deletecollection':
      return deleteCollection(environment, context, request);
    default:
      return serveReading(environment, context);
  }
}
