import { badRequest, conflict, otherNamespace, uidMismatch } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { isNoRevision } from '../registry/check-identity.ts';
import type { ResourceContext } from '../request/context.ts';
import { checkNew } from './create.ts';
import { decodeObject } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { tracker, trackingOf } from './field-tracking.ts';
import { parseWriteParameters } from './options.ts';
import { targetOf, type VerbRequest, writeResult } from './request.ts';
import type { VerbResult } from './result.ts';

/** What of a proposed object a subresource takes over into the live one. */
export type SubresourceMerge = (proposed: KubeObject, live: KubeObject) => KubeObject;

/** PUT of an object or of a subresource that has the object's own kind (C3, C4, C7). */
export async function updateObject(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  merge?: SubresourceMerge,
): Promise<VerbResult> {
  const target = targetOf(context);
  const { definition } = target.served;
  const parameters = parseWriteParameters(context.info.query, 'UpdateOptions');
  const decoded = (warnings: string[]) => {
    const { workspace, served } = target;
    const object = decodeObject(request.body, {
      workspace,
      served,
      fieldValidation: parameters.fieldValidation,
      warnings,
    });
    // Where it lies comes before what it is called (rest.EnsureObjectNamespaceMatchesRequestNamespace).
    if (definition.namespaced && isElsewhere(object, context)) throw otherNamespace();
    checkName(object, context);
    return object;
  };
  const given = decoded(context.warnings);
  const tracking = trackingOf(context, parameters, environment.clock.now(), environment.registry.conversions);
  const { resourceVersion } = given.metadata;
  const isGuarded = (resourceVersion ?? '0') !== '0';
  const outcome = await environment.registry.update(
    target,
    {
      dryRun: parameters.dryRun,
      warnings: context.warnings,
      admission: environment.admission.for(context, parameters.dryRun),
      track: tracker(context.served, tracking),
      subresource: context.subresource,
      createWhenAbsent: definition.strategy.createOnUpdate === true && context.subresource === '',
    },
    async (live, attempt) => {
      // Unguarded, it may have to be written over another state than the one first seen, which has changed it.
      const proposed = isGuarded || attempt === 0 ? given : decoded([]);
      // The registry takes it out of what it is given; without it a second try would write over whatever is there.
      if (isGuarded) proposed.metadata.resourceVersion = resourceVersion;
      if (live !== undefined) return merge === undefined ? proposed : merge(proposed, live);
      await environment.authorizeCreate(context);
      checkUidOfAbsent(proposed, context);
      // A revision guards what is there; of what is not there it says nothing, when it is one.
      if (isNoRevision(proposed.metadata.resourceVersion)) throw conflict(definition, context.name);
      delete proposed.metadata.resourceVersion;
      checkNew(proposed, context.namespace);
      return proposed;
    },
  );
  return writeResult(outcome, context);
}

/** 409 for a uid of what is not there (any more): an object is not made anew by who means the former one. */
function checkUidOfAbsent({ metadata: { uid } }: KubeObject, { served, name }: ResourceContext): void {
  if (uid === undefined || uid === '') return;
  throw conflict(served.definition, name, uidMismatch(uid, ''));
}

/** C3: a body says which object it is. */
export function checkName(object: KubeObject, context: ResourceContext): void {
  if (!context.served.definition.namespaced) delete object.metadata.namespace;
  else if (isElsewhere(object, context)) throw otherNamespace();
  const { name } = object.metadata;
  if (name === undefined || name === '') {
    throw badRequest(
      `the name of the object (${context.name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (name !== context.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${context.name})`);
  }
}

function isElsewhere({ metadata: { namespace } }: KubeObject, context: ResourceContext): boolean {
  // An empty one is that of the path (rest.EnsureObjectNamespaceMatchesRequestNamespace).
  return namespace !== undefined && namespace !== '' && namespace !== context.namespace;
}
