import { ApiError, methodNotAllowed } from '#apimachinery/api-error.ts';
import type { Registry } from '../registry/registry.ts';
import type { Target } from '../registry/target.ts';
import type { WriteOutcome } from '../registry/writes.ts';
import type { ResourceContext } from '../request/context.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { RequestBody } from './request-body.ts';
import type { VerbResult } from './result.ts';

export interface VerbRequest {
  /** Undefined for a request without one. */
  readonly body: RequestBody | undefined;
}

/** What a handler of a subresource or of a virtual resource can use. */
export interface HandlerTools {
  readonly registry: Registry;
}

/**
 * Serves a subresource (`serviceaccounts/token`) or a resource that is not stored (reviews) in place of the generic
 * verbs. Discovery's verbs have been checked; admission has not run.
 */
export type ResourceHandler = (
  context: ResourceContext,
  request: VerbRequest,
  tools: HandlerTools,
) => VerbResult | Promise<VerbResult>;

/** `group/resource` or `group/resource/subresource`, the core group being empty: `/pods/binding`. */
export function handlerKey(group: string, resource: string, subresource = ''): string {
  return subresource === '' ? `${group}/${resource}` : `${group}/${resource}/${subresource}`;
}

/** The workspace of a request; 405 for `/clusters/*`, where only list and watch are served. */
export function workspaceOf(context: ResourceContext): Workspace {
  if (context.workspace === undefined) {
    throw methodNotAllowed(context.served.definition, context.info.verb);
  }
  return context.workspace;
}

export function targetOf(context: ResourceContext): Target {
  return {
    workspace: workspaceOf(context),
    served: context.served,
    namespace: context.namespace,
    name: context.name,
  };
}

/** How a write is answered: 201 when it created, else 200. */
export function writeResult(outcome: WriteOutcome, context: ResourceContext): VerbResult {
  const { served } = context;
  switch (outcome.type) {
    case 'written':
      return { type: 'entry', code: outcome.created ? 201 : 200, served, entry: outcome.entry };
    case 'unchanged':
      return { type: 'entry', code: 200, served, entry: outcome.entry };
    case 'deleted':
      return { type: 'object', code: 200, served, object: outcome.object };
    case 'dry-run':
      return { type: 'object', code: outcome.created ? 201 : 200, served, object: outcome.object };
    default: {
      const unknown: never = outcome;
      throw new ApiError('InternalError', `unknown outcome ${String(unknown)}`);
    }
  }
}
