import { ApiError, badRequest, conflict, notFound } from '#apimachinery/api-error.ts';
import { invalidObject, required } from '#apimachinery/field-error.ts';
import { cloneJson, isJsonObject, type JsonObject, jsonText } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { rangePrefix } from '#storage/keys.ts';
import { headerOf, objectOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import { decodeKind } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { parseDeletionOptions, parseWriteParameters } from './options.ts';
import { targetOf, type VerbRequest } from './request.ts';
import type { VerbResult } from './result.ts';

const bindingKind = { group: '', version: 'v1', kind: 'Binding' };

/** POST to the collection `bindings`: the older way to say the same, with the pod's name in the body (C10). */
export function bindNamedPod(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): Promise<VerbResult> {
  const { name } = decodeKind(request.body, bindingKind).metadata;
  if (name === undefined || name === '') throw badRequest('name must be provided');
  const pods = context.workspace?.scheme.lookupResource('', 'v1', 'pods');
  if (pods === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  const { info, user, workspace, auditId, signal, warnings, defaultFieldManager, namespace } = context;
  const own = { info, user, workspace, auditId, signal, warnings, defaultFieldManager, namespace };
  return bindPod(environment, { ...own, served: pods, subresource: 'binding', name }, request);
}

/** POST `/binding`: gives a pod to a node (C10). */
export async function bindPod(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): Promise<VerbResult> {
  const parameters = parseWriteParameters(context.info.query, 'CreateOptions');
  const binding = decodeKind(request.body, bindingKind);
  const { target } = binding;
  const node = isJsonObject(target) ? target['name'] : undefined;
  if (typeof node !== 'string' || node === '') {
    throw invalidObject({ group: '', kind: 'Binding' }, context.name, [required('target.name')]);
  }
  if (
    isJsonObject(target) &&
    target['kind'] !== undefined &&
    target['kind'] !== '' &&
    target['kind'] !== 'Node'
  ) {
    throw badRequest(`a pod is bound to a Node, not to a ${jsonText(target['kind'])}`);
  }
  await environment.admission.connect(context, binding, parameters.dryRun);
  await environment.registry.update(
    targetOf(context),
    { dryRun: parameters.dryRun, warnings: context.warnings, subresource: 'binding' },
    (live) => boundPod(live!, binding, node, context, environment.clock.now()),
  );
  return { type: 'status', code: 201, body: success(201) };
}

function boundPod(
  live: KubeObject,
  binding: KubeObject,
  node: string,
  context: ResourceContext,
  nowMs: number,
): KubeObject {
  const { definition } = context.served;
  if (binding.metadata.uid !== undefined && binding.metadata.uid !== live.metadata.uid) {
    throw conflict(definition, context.name);
  }
  const pod = cloneJson(live);
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(
      definition,
      context.name,
      `pod ${context.name} is being deleted, cannot be assigned to a host`,
    );
  }
  const spec: JsonObject = isJsonObject(pod['spec']) ? pod['spec'] : {};
  const assigned = spec['nodeName'];
  if (typeof assigned === 'string' && assigned !== '') {
    throw conflict(definition, context.name, `pod ${context.name} is already assigned to node "${assigned}"`);
  }
  const status: JsonObject = isJsonObject(pod['status']) ? pod['status'] : {};
  const conditions = Array.isArray(status['conditions']) ? status['conditions'] : [];
  status['conditions'] = [
    ...conditions.filter((one) => !isJsonObject(one) || one['type'] !== 'PodScheduled'),
    { type: 'PodScheduled', status: 'True', lastTransitionTime: nowTime(nowMs) },
  ];
  return { ...pod, spec: { ...spec, nodeName: node }, status };
}

/** POST `/eviction`: a delete that asks the pod's disruption budgets first (C10). */
export async function evictPod(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
): Promise<VerbResult> {
  const parameters = parseWriteParameters(context.info.query, 'CreateOptions');
  const eviction = decodeKind(request.body, { group: 'policy', version: 'v1', kind: 'Eviction' });
  if (eviction.metadata.name !== undefined && eviction.metadata.name !== context.name) {
    throw badRequest(`name in URL does not match name in Eviction object`);
  }
  const { deleteOptions } = eviction;
  const options = parseDeletionOptions(
    isJsonObject(deleteOptions) ? deleteOptions : {},
    new URLSearchParams(),
  );
  await environment.admission.connect(context, eviction, parameters.dryRun);
  const target = targetOf(context);
  const entry = environment.registry.peek(target);
  if (entry === undefined) throw notFound(target.served.definition, target.name);
  const pod = objectOf(entry);
  const phase = isJsonObject(pod['status']) ? pod['status']['phase'] : undefined;
  const needsBudget = phase !== 'Succeeded' && phase !== 'Failed' && phase !== 'Pending';
  if (needsBudget && pod.metadata.deletionTimestamp === undefined) {
    checkBudgets(environment, context, headerOf(entry).labels);
  }
  await environment.registry.delete(target, { ...options, dryRun: options.dryRun || parameters.dryRun }, {});
  return { type: 'status', code: 201, body: success(201) };
}

/** 429 while a budget of the namespace that selects the pod allows no disruption, or has not been looked at. */
function checkBudgets(
  environment: VerbEnvironment,
  context: ResourceContext,
  labels: { readonly [key: string]: string },
): void {
  const { storage } = environment.registry;
  const budgets = { group: 'policy', resource: 'poddisruptionbudgets' };
  const prefix = rangePrefix(budgets, context.workspace!.id, context.namespace);
  for (const entry of storage.snapshot(prefix).entries()) {
    const budget = objectOf(entry);
    const spec: JsonObject = isJsonObject(budget['spec']) ? budget['spec'] : {};
    const status: JsonObject = isJsonObject(budget['status']) ? budget['status'] : {};
    const selector = isJsonObject(spec['selector']) ? spec['selector'] : undefined;
    if (!labelSelectorOf(selector as Parameters<typeof labelSelectorOf>[0]).matches(labels)) continue;
    const observed = typeof status['observedGeneration'] === 'number' ? status['observedGeneration'] : 0;
    const allowed = typeof status['disruptionsAllowed'] === 'number' ? status['disruptionsAllowed'] : 0;
    if (observed >= (budget.metadata.generation ?? 0) && allowed > 0) continue;
    throw new ApiError(
      'TooManyRequests',
      "Cannot evict pod as it would violate the pod's disruption budget.",
      {
        details: {
          retryAfterSeconds: 10,
          causes: [
            {
              reason: 'DisruptionBudget',
              message: `The disruption budget ${budget.metadata.name ?? ''} allows no further disruption now`,
            },
          ],
        },
      },
    );
  }
}

function success(code: number): JsonObject {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code };
}
