import { returnsDeleted } from '#api/builtin/returned-deletions.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { servedObjectOf } from '../registry/conversion.ts';
import type { DeletionMarks, DeletionOptions } from '../registry/deletion.ts';
import type { DeletionOutcome } from '../registry/writes.ts';
import type { ResourceContext } from '../request/context.ts';
import { decodeDeleteOptions } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { parseDeletionOptions, shownDeletion } from './options.ts';
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
    admission: environment.admission.for(context, options.dryRun, () => shownDeletion(options)),
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
  if (outcome.type === 'removed') {
    if (!returnsDeleted(served.definition)) {
      return { type: 'status', code: 200, body: deletedStatus(context, outcome.uid) };
    }
    if (outcome.marks !== undefined) {
      return { type: 'object', code: 200, served, object: marked(outcome.entry, outcome.marks, served) };
    }
  }
  const code = outcome.type !== 'removed' && options.orphanDependents === false ? 202 : 200;
  if (outcome.type === 'would-wait') return { type: 'object', code, served, object: outcome.object };
  return { type: 'entry', code, served, entry: outcome.entry };
}

/** The object that is gone, with the marks of its end. */
function marked(entry: CacheEntry, marks: DeletionMarks, served: ServedResource): KubeObject {
  const object = servedObjectOf(entry, served);
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = marks;
  const told = {
    ...(generation === undefined ? {} : { generation }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
  };
  return { ...object, metadata: { ...object.metadata, ...told } };
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
