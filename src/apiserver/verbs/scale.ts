import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { badRequest, conflict, internalError, notFound, uidMismatch } from '#apimachinery/api-error.ts';
import { invalid, invalidObject } from '#apimachinery/field-error.ts';
import { fieldValueAt } from '#apimachinery/field-selector.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Subresource } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { applyServerSide } from '../apply/apply-server-side.ts';
import type { UpdateOptions, WriteOutcome } from '../registry/writes.ts';
import type { ResourceContext } from '../request/context.ts';
import { typeMismatch } from '../request/go-words.ts';
import { decodeConfiguration } from './apply.ts';
import { decodeKind, reportUnknownFields } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { type Tracking, tracker, trackingOf } from './field-tracking.ts';
import { awaitAsked } from './get.ts';
import { parseWriteParameters, type WriteParameters } from './options.ts';
import { applyPatchType, checkPatchType, decodePatch, patchTypeOf } from './patch.ts';
import { targetOf, type VerbRequest } from './request.ts';
import type { VerbResult } from './result.ts';
import { managersOfParent, managersOfScale, scaleApiVersion } from './scale-managers.ts';

type ScalePaths = NonNullable<Subresource['scale']>;

/** Stands in a patched Scale for replicas that its object does not have (apiextensions scaleUpdatedObjectInfo). */
const absentReplicas = -(2 ** 31);

const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

/** `/scale`: autoscaling/v1 Scale over three paths of an object (C10, R6). */
export function serveScale(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  paths: ScalePaths,
): VerbResult | Promise<VerbResult> {
  switch (context.info.verb) {
    case 'get':
      return getScale(environment, context, paths);
    case 'update':
      return updateScale(environment, context, request, paths);
    default:
      return patchScale(environment, context, request, paths);
  }
}

function getScale(
  { registry }: VerbEnvironment,
  context: ResourceContext,
  paths: ScalePaths,
): VerbResult | Promise<VerbResult> {
  const target = targetOf(context);
  const read = (): VerbResult => {
    const entry = registry.peek(target);
    if (entry === undefined) throw notFound(target.served.definition, target.name);
    const object = registry.read(entry, target);
    if (lacksReplicas(object, context, paths)) {
      throw internalError(`the spec replicas field ".${paths.specReplicasPath}" does not exist`);
    }
    return { type: 'object', code: 200, served: context.served, object: scaleOf(object, paths) };
  };
  const waiting = awaitAsked(registry, context);
  return waiting === undefined ? read() : waiting.then(read);
}

/** Whether a custom resource says nothing of its replicas: it cannot be read as a Scale (apiextensions ScaleREST). */
function lacksReplicas(object: KubeObject, { served }: ResourceContext, paths: ScalePaths): boolean {
  return served.definition.origin === 'custom' && (valueAt(object, paths.specReplicasPath) ?? null) === null;
}

function updateScale(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  paths: ScalePaths,
): Promise<VerbResult> {
  const scale = decodeKind(request.body, scaleKind);
  if (scale.metadata.name !== undefined && scale.metadata.name !== context.name) {
    throw badRequest(
      `the name of the object (${scale.metadata.name}) does not match the name on the URL (${context.name})`,
    );
  }
  const parameters = parseWriteParameters(context.info.query, 'UpdateOptions');
  refuseUndecodable(scale, context.served.definition.origin === 'custom');
  checkFields(scale, parameters, context.warnings);
  return writeScale(environment, context, paths, parameters, () => scale);
}

function patchScale(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  paths: ScalePaths,
): Promise<VerbResult> {
  const isApply = patchTypeOf(request.body) === applyPatchType;
  checkPatchType(patchTypeOf(request.body), context.served.definition);
  const parameters = parseWriteParameters(context.info.query, 'PatchOptions', isApply);
  if (isApply) {
    const { value } = decodeConfiguration(request.body);
    return applyScale(environment, context, paths, parameters, value);
  }
  const isCustom = context.served.definition.origin === 'custom';
  const patch = decodePatch(request.body, isCustom ? undefined : scaleSchema(), !isCustom);
  let isChecked = false;
  return writeScale(environment, context, paths, parameters, (live) => {
    const before = scaleOf(live, paths);
    const isMarked = lacksReplicas(live, context, paths);
    if (isMarked) before['spec'] = { replicas: absentReplicas };
    const scale = patch.apply(before) as KubeObject;
    const warnings = isChecked ? [] : context.warnings; // what is tried again warns once
    patch.accept(before, () => {
      refuseUndecodable(scale, false);
      checkFields(scale, parameters, warnings);
    });
    isChecked = true;
    if (isMarked && isJsonObject(scale['spec']) && scale['spec']['replicas'] === absentReplicas) {
      throw badRequest(`the spec replicas field ".${paths.specReplicasPath}" cannot be empty`);
    }
    return scale;
  });
}

/** C9 */
function checkFields(scale: KubeObject, { fieldValidation }: WriteParameters, warnings: string[]): void {
  reportUnknownFields(scale, scaleSchema(), scaleKind, { fieldValidation, warnings });
}

/** What the scheme of custom resources says of any Scale that it cannot decode (apiserver transformDecodeError). */
const notOfCustomKinds = 'no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:111"';

/** 400 for a value that does not fit its field. */
function refuseUndecodable(scale: KubeObject, isCustom: boolean): void {
  const why = typeMismatch(scaleSchema(), scale);
  if (why === undefined) return;
  throw badRequest(
    isCustom ? notOfCustomKinds : `Scale in version "v1" cannot be handled as a Scale: ${why}`,
  );
}

/** Sets the replicas of the parent to those of the Scale that `propose` gives. */
function writeScale(
  environment: VerbEnvironment,
  context: ResourceContext,
  paths: ScalePaths,
  parameters: WriteParameters,
  propose: (live: KubeObject) => KubeObject,
): Promise<VerbResult> {
  const tracking = scaleTracking(environment, context, parameters);
  const track = tracker(context.served, tracking);
  return writeParent({ environment, context, paths, parameters, track }, (live) => {
    const scale = propose(live);
    checkScaleIdentity(scale, live, context);
    return withReplicas(live, paths.specReplicasPath, replicasOf(scale, context));
  });
}

/** Managers are told of the Scale, and from there of the parent. */
function applyScale(
  environment: VerbEnvironment,
  context: ResourceContext,
  paths: ScalePaths,
  parameters: WriteParameters,
  applied: JsonObject,
): Promise<VerbResult> {
  const tracking = scaleTracking(environment, context, parameters);
  const { manager, subresource, now } = tracking;
  return writeParent({ environment, context, paths, parameters }, (live) => {
    const before = scaleOf(live, paths);
    before.metadata.managedFields = managersOfScale(live, paths.specReplicasPath);
    const { object: scale } = applyServerSide({
      manager,
      apiVersion: scaleApiVersion,
      subresource,
      now,
      schema: scaleSchema(),
      live: before,
      applied,
      force: parameters.force,
    });
    refuseUndecodable(scale, false);
    checkScaleIdentity(scale, live, context);
    const scaled = withReplicas(live, paths.specReplicasPath, replicasOf(scale, context));
    scaled.metadata.managedFields = managersOfParent(
      live,
      scale.metadata.managedFields,
      paths.specReplicasPath,
      tracking.apiVersion,
    );
    return scaled;
  });
}

function scaleTracking(
  { clock, registry }: VerbEnvironment,
  context: ResourceContext,
  parameters: WriteParameters,
): Tracking {
  return trackingOf(context, parameters, clock.now(), registry.conversions, 'scale');
}

interface ScaleWrite {
  readonly environment: VerbEnvironment;
  readonly context: ResourceContext;
  readonly paths: ScalePaths;
  readonly parameters: WriteParameters;
  /** Absent: `change` sees to managedFields. */
  readonly track?: UpdateOptions['track'];
}

/** Writes what `change` makes of the parent; answers with its Scale. */
async function writeParent(
  { environment, context, paths, parameters: { dryRun }, track }: ScaleWrite,
  change: (live: KubeObject) => KubeObject,
): Promise<VerbResult> {
  const { registry, admission } = environment;
  const options = {
    dryRun,
    warnings: context.warnings,
    admission: admission.for(context, dryRun),
    subresource: '',
    ...(track === undefined ? {} : { track }),
  };
  const outcome = await registry.update(targetOf(context), options, (live) => change(live!));
  return scaleResult(environment, context, outcome, paths);
}

function scaleSchema(): Schema {
  const schema = builtinSchema('io.k8s.api.autoscaling.v1.Scale');
  if (schema === undefined) throw new Error('the catalogue has no Scale');
  return schema;
}

function checkScaleIdentity(scale: KubeObject, live: KubeObject, context: ResourceContext): void {
  const { resourceVersion, uid } = scale.metadata ?? {};
  const { definition } = context.served;
  if (uid !== undefined && uid !== '' && uid !== live.metadata.uid) {
    throw conflict(definition, context.name, uidMismatch(uid, live.metadata.uid));
  }
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === '0') return;
  if (resourceVersion !== live.metadata.resourceVersion) throw conflict(definition, context.name);
}

function replicasOf(scale: KubeObject, { name, served }: ResourceContext): number {
  const spec = scale['spec'];
  const replicas = isJsonObject(spec) ? Number(spec['replicas'] ?? 0) : 0;
  // Of a custom resource its own validation tells.
  if (replicas < 0 && served.definition.origin !== 'custom') {
    const error = invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw invalidObject(scaleKind, name, [error]);
  }
  return replicas;
}

function scaleResult(
  { registry }: VerbEnvironment,
  context: ResourceContext,
  outcome: WriteOutcome,
  paths: ScalePaths,
): VerbResult {
  const parent = 'entry' in outcome ? registry.read(outcome.entry, targetOf(context)) : outcome.object;
  return { type: 'object', code: 200, served: context.served, object: scaleOf(parent, paths) };
}

/** The Scale that stands for an object; no replicas are left out (`omitempty`). */
function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = Number(fieldValueAt(object, paths.specReplicasPath));
  const selector =
    paths.labelSelectorPath === undefined
      ? ''
      : selectorText(valueAt(object, paths.labelSelectorPath), object.kind === 'ReplicationController');
  const metadata: KubeObject['metadata'] = {};
  if (name !== undefined) metadata.name = name;
  if (namespace !== undefined) metadata.namespace = namespace;
  if (uid !== undefined) metadata.uid = uid;
  if (resourceVersion !== undefined) metadata.resourceVersion = resourceVersion;
  if (creationTimestamp !== undefined) metadata.creationTimestamp = creationTimestamp;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: Number(fieldValueAt(object, paths.statusReplicasPath)),
      ...(selector === '' ? {} : { selector }),
    },
  };
}

/** A text stands as it is; a LabelSelector, or the plain map of labels that a ReplicationController has, is written out. */
function selectorText(value: JsonValue | undefined, isPlainMap: boolean): string {
  if (typeof value === 'string') return value;
  if (!isJsonObject(value)) return '';
  if (isPlainMap) return labelSelectorOf({ matchLabels: value }).toString();
  const { matchLabels, matchExpressions } = value;
  return labelSelectorOf({
    matchLabels: isJsonObject(matchLabels) ? matchLabels : undefined,
    matchExpressions: Array.isArray(matchExpressions) ? matchExpressions : undefined,
  }).toString();
}

function valueAt(object: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = object;
  for (const part of parts(path)) {
    if (!isJsonObject(value)) return undefined;
    value = value[part];
  }
  return value;
}

/** The object with other replicas; copies only what lies on the path. */
function withReplicas(object: KubeObject, path: string, replicas: number): KubeObject {
  const copy: KubeObject = { ...object, metadata: { ...object.metadata } };
  setPath(copy, path, replicas);
  return copy;
}

/** Sets a value, copying the objects on its way. */
function setPath(root: JsonObject, path: string, value: JsonValue): void {
  const names = parts(path);
  let at = root;
  for (const name of names.slice(0, -1)) {
    const child = at[name];
    const copy: JsonObject = isJsonObject(child) ? { ...child } : {};
    at[name] = copy;
    at = copy;
  }
  at[names.at(-1)!] = value;
}

function parts(path: string): string[] {
  return path.replace(/^\./, '').split('.');
}
