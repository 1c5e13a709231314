import { methodNotAllowed, otherNamespace } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceContext } from '../request/context.ts';
import { checkMediaType, decodeObject } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { tracker, trackingOf } from './field-tracking.ts';
import { parseWriteParameters } from './options.ts';
import { targetOf, type VerbRequest, writeResult } from './request.ts';
import type { VerbResult } from './result.ts';

/** POST to a collection (C1, C2). */
export async function createObject(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): Promise<VerbResult> {
  const target = targetOf(context);
  const { definition } = target.served;
  if (definition.namespaced && context.namespace === '') throw methodNotAllowed(definition, 'create');
  checkMediaType(request.body, definition.origin !== 'custom');
  const parameters = parseWriteParameters(context.info.query, 'CreateOptions');
  const object = decodeObject(request.body, {
    workspace: target.workspace,
    served: target.served,
    fieldValidation: parameters.fieldValidation,
    warnings: context.warnings,
  });
  checkNew(object, context.namespace);
  const tracking = trackingOf(context, parameters, environment.clock.now(), environment.registry.conversions);
  const outcome = await environment.registry.create(target, object, {
    dryRun: parameters.dryRun,
    warnings: context.warnings,
    admission: environment.admission.for(context, parameters.dryRun),
    track: tracker(context.served, tracking),
  });
  return writeResult(outcome, context);
}

/** C1: what a body must not say about an object that does not exist yet. */
export function checkNew(object: KubeObject, namespace: string): void {
  const { metadata } = object;
  if (namespace === '') delete metadata.namespace;
  else if (metadata.namespace !== undefined && metadata.namespace !== namespace) {
    throw otherNamespace();
  }
}
