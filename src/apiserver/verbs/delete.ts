import { returnsDeleted } from '#api/builtin/returned-deletions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { DeletionOptions } from '../registry/deletion.ts';
import type { DeletionOutcome } from '../registry/writes.ts';
import type { ResourceContext } from '../request/context.ts';
import { decodeDeleteOptions } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { parseDeletionOptions } from './options.ts';
import { targetOf, type VerbRequest } from './request.ts';
import type { VerbResult } from './result.ts';

/** DELETE of one object: a Status when it is gone, or for some kinds what it was; the object while it lingers (X1). */
export async function deleteObject(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): Promise<VerbResult> {
  const options = parseDeletionOptions(decodeDeleteOptions(request.body), context.info.query);
  warnOfDependents(context, options);
  const outcome = await environment.registry.delete(targetOf(context), options, {
    admission: environment.admission.for(context, options.dryRun),
  });
  return deletionResult(outcome, context, options);
}

/** Of Jobs most people expect that their pods go with them (JobStorage.Delete). */
export function warnOfDependents({ served, warnings }: ResourceContext, options: DeletionOptions): void {
  const { group, resource } = served.definition;
  if (resource !== 'jobs' || group !== 'batch') return;
  if (options.propagationPolicy === undefined && options.orphanDependents === undefined)
    warnings.push(
      'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
    );
}

function deletionResult(
  outcome: DeletionOutcome,
  context: ResourceContext,
  options: DeletionOptions,
): VerbResult {
  const { served } = context;
  if (outcome.type === 'removed' && !returnsDeleted(served.definition)) {
    return { type: 'status', code: 200, body: deletedStatus(context, outcome.uid) };
  }
  const code = outcome.type !== 'removed' && options.orphanDependents === false ? 202 : 200;
  if (outcome.type === 'would-wait') return { type: 'object', code, served, object: outcome.object };
  return { type: 'entry', code, served, entry: outcome.entry };
}

function deletedStatus({ served, name }: ResourceContext, uid: string): JsonObject {
  const { group, resource } = served.definition;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(group === '' ? {} : { group }), kind: resource, uid },
  };
}
