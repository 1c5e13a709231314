import { alreadyExists, badRequest, conflict, uidMismatch } from '#apimachinery/api-error.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { cloneJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyServerSide } from '../apply/apply-server-side.ts';
import { isNoRevision } from '../registry/check-identity.ts';
import { cloneObject } from '../registry/clone-object.ts';
import type { ResourceContext } from '../request/context.ts';
import { checkNew } from './create.ts';
import { acceptObject } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { trackingOf } from './field-tracking.ts';
import { parseWriteParameters } from './options.ts';
import { targetOf, type VerbRequest, writeResult } from './request.ts';
import type { RequestBody } from './request-body.ts';
import type { VerbResult } from './result.ts';
import { checkName, type SubresourceMerge } from './update.ts';
import { withConversions } from './versioned-fields.ts';

/**
 * Server-side apply (P3–P7): creates what is absent, on the main path, if the user may create. With `ifAbsent=true` (ours,
 * not Kubernetes') it does nothing else: 409 AlreadyExists when the object is there.
 */
export async function applyObject(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  merge?: SubresourceMerge,
): Promise<VerbResult> {
  const target = targetOf(context);
  const parameters = parseWriteParameters(context.info.query, 'PatchOptions', true);
  const { value: applied, duplicates } = decodeConfiguration(request.body);
  if (!context.served.definition.namespaced) dropNamespace(applied);
  const onlyWhenAbsent = context.info.query.get('ifAbsent') === 'true';
  const tracking = trackingOf(context, parameters, environment.clock.now(), environment.registry.conversions);
  const { schema } = context.served.version;
  const { manager, apiVersion, subresource, now, resetFields, versions } = tracking;
  const outcome = await environment.registry.update(
    target,
    {
      dryRun: parameters.dryRun,
      warnings: context.warnings,
      admission: environment.admission.for(context, parameters.dryRun),
      subresource: context.subresource,
      createWhenAbsent: context.subresource === '',
      coerces: context.served.definition.origin === 'custom',
    },
    async (live, attempt) => {
      if (live !== undefined && onlyWhenAbsent) {
        throw alreadyExists(context.served.definition, context.name);
      }
      if (live === undefined) await environment.authorizeCreate(context);
      const merging = withConversions(versions, (convert) =>
        applyServerSide({
          manager,
          apiVersion,
          kind: context.served.definition.kind,
          subresource,
          now,
          resetFields,
          convert,
          schema,
          live,
          applied,
          force: parameters.force,
        }),
      );
      const merged = merging instanceof Promise ? await merging : merging;
      // Once the configuration is merged (apiserver `patcher.applyPatch`): whether it fits the schema is told before.
      const named = namedBy(applied, live);
      checkName(named, context);
      checkPrecondition(named, live, context);
      const { managedFields } = merged.object.metadata;
      const proposed = acceptObject(cloneObject(merged.object), duplicates, {
        workspace: target.workspace,
        served: target.served,
        fieldValidation: parameters.fieldValidation,
        warnings: attempt === 0 ? context.warnings : [],
        isApplied: true,
      });
      if (managedFields !== undefined) proposed.metadata.managedFields = managedFields;
      if (context.namespace !== '') proposed.metadata.namespace ||= context.namespace;
      if (live === undefined) {
        delete proposed.metadata.resourceVersion;
        checkNew(proposed, context.namespace);
        return proposed;
      }
      // Null of it, or nothing, is an update of whatever is there, which not every kind takes (C3).
      if (saysNoRevision(applied)) delete proposed.metadata.resourceVersion;
      else proposed.metadata.resourceVersion = live.metadata.resourceVersion!;
      return merge === undefined ? proposed : merge(proposed, live);
    },
  );
  return writeResult(outcome, context);
}

export function decodeConfiguration(body: RequestBody | undefined): {
  readonly value: JsonObject;
  readonly duplicates: readonly string[];
} {
  if (body === undefined) throw badRequest('the apply configuration is empty');
  const decoded =
    'object' in body ? { value: cloneJson(body.object), duplicateFields: () => [] } : decodeYaml(body.bytes);
  const { value } = decoded;
  if (!isJsonObject(value)) throw badRequest('the apply configuration must be an object');
  return { value, duplicates: decoded.duplicateFields() };
}

function saysNoRevision({ metadata }: JsonObject): boolean {
  return (
    isJsonObject(metadata) && (metadata['resourceVersion'] === null || metadata['resourceVersion'] === '')
  );
}

/** What is no text is told with the rest of what does not fit. */
function dropNamespace({ metadata }: JsonObject): void {
  if (isJsonObject(metadata) && typeof metadata['namespace'] === 'string') delete metadata['namespace'];
}

/** Which object the merged configuration is of: what it does not name is as it was, what it says null of is not there. */
function namedBy(applied: JsonObject, live: KubeObject | undefined): KubeObject {
  const given = isJsonObject(applied['metadata']) ? applied['metadata'] : {};
  const metadata: JsonObject = { name: live?.metadata.name ?? null, ...given };
  for (const field in metadata) if (metadata[field] === null) delete metadata[field];
  return { apiVersion: '', kind: '', metadata: metadata as KubeObject['metadata'] };
}

/**
 * A uid in the configuration binds it to that very object; a resourceVersion, to that state of an object that is there: one that
 * is not is created all the same (as kube-apiserver does, whose store compares revisions of what it finds).
 */
function checkPrecondition(
  { metadata }: KubeObject,
  live: KubeObject | undefined,
  context: ResourceContext,
): void {
  const resourceVersion = metadata.resourceVersion ?? '';
  const uid = metadata.uid ?? '';
  const { definition } = context.served;
  if (uid !== '' && uid !== live?.metadata.uid) {
    const why =
      live === undefined
        ? `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
        : uidMismatch(uid, live.metadata.uid);
    throw conflict(definition, context.name, why);
  }
  if (resourceVersion === '' || resourceVersion === '0') return;
  const isUnmet =
    live === undefined ? isNoRevision(resourceVersion) : resourceVersion !== live.metadata.resourceVersion;
  if (isUnmet) {
    throw conflict(definition, context.name);
  }
}
