import { notFound } from '#apimachinery/api-error.ts';
import type { Registry } from '../registry/registry.ts';
import type { Target } from '../registry/target.ts';
import type { ResourceContext } from '../request/context.ts';
import { awaitRevision } from './freshness.ts';
import { parseResourceVersion } from './options.ts';
import { targetOf } from './request.ts';
import type { VerbResult } from './result.ts';

/**
 * GET of one object: linearizable without a resourceVersion, anything at `0`, not older than N (L2). Synchronous when
 * the cache is as new as the store, which for an embedded store is always.
 */
export function getObject(registry: Registry, context: ResourceContext): VerbResult | Promise<VerbResult> {
  const target = targetOf(context);
  const waiting = awaitAsked(registry, context);
  if (waiting === undefined) return read(registry, target);
  return waiting.then(() => read(registry, target));
}

/** Until the cache is as new as the request's resourceVersion asks for (L2); undefined when it is already. */
export function awaitAsked({ storage }: Registry, { info }: ResourceContext): Promise<void> | undefined {
  const { query } = info;
  const asked = query.size === 0 ? undefined : parseResourceVersion(query.get('resourceVersion') ?? '');
  return asked === undefined ? storage.awaitFresh() : awaitRevision(storage, asked);
}

function read(registry: Registry, target: Target): VerbResult {
  const entry = registry.peek(target);
  if (entry === undefined) throw notFound(target.served.definition, target.name);
  return { type: 'entry', code: 200, served: target.served, entry };
}
