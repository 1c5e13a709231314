import { randomUUID } from 'node:crypto';
import { ApiError, badRequest, type StatusReason, statusCodeOf } from '#apimachinery/api-error.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { applyJsonPatch } from '../../patch/json-patch.ts';
import { toStorageVersion } from '../../registry/conversion.ts';
import { headerOf } from '../../registry/stored-object.ts';
import { isInert } from '../../registry/target.ts';
import type { ResourceContext } from '../../request/context.ts';
import { acceptObject } from '../../verbs/decode-body.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { type WebhookAnswer, WebhookCallError, type WebhookCaller } from './webhook-caller.ts';
import { ruleMatches, type Webhook } from './webhook-configuration.ts';
import { WebhookSource } from './webhook-source.ts';

export interface WebhookAdmissionOptions {
  readonly storage: CachedStorage;
  readonly caller: WebhookCaller;
}

/** A webhook that is to be called, and the version of the resource that its rules speak of. */
interface Call {
  readonly webhook: Webhook;
  readonly version: ResourceVersion;
}

/**
 * Whether webhooks are asked about a request at all: not about webhook and policy configurations, which could lock
 * everybody out (A3), not about the system's own kinds, and never in a cell, where they are inert.
 */
function concerns({ context }: AdmissionAttributes): boolean {
  const { workspace, served } = context;
  const { definition } = served;
  if (workspace === undefined || definition.origin === 'system' || isInert(workspace, definition))
    return false;
  return definition.group !== 'admissionregistration.k8s.io';
}

/** MutatingWebhookConfigurations (A1, A2): one after the other, in the order of names, each seeing what the last left. */
export class MutatingWebhooks implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionWebhook';
  readonly #storage: CachedStorage;
  readonly #source: WebhookSource;
  readonly #caller: WebhookCaller;

  constructor({ storage, caller }: WebhookAdmissionOptions) {
    this.#storage = storage;
    this.#source = new WebhookSource(storage, 'mutating');
    this.#caller = caller;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes) && this.#source.webhooks(attributes.context.workspace!).length > 0;
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const webhooks = this.#source.webhooks(attributes.context.workspace!);
    return this.#run(webhooks, attributes);
  }

  async #run(webhooks: readonly Webhook[], attributes: AdmissionAttributes): Promise<void> {
    const changedBy: (Webhook | undefined)[] = [];
    for (const webhook of webhooks) {
      const changed = await this.#apply(webhook, attributes);
      changedBy.push(changed ? webhook : undefined);
    }
    // Reinvocation: once more for those that asked for it and after whose call another one changed something.
    for (let i = 0; i < webhooks.length; i++) {
      const webhook = webhooks[i]!;
      if (webhook.reinvokes && changedBy.slice(i + 1).some((one) => one !== undefined)) {
        await this.#apply(webhook, attributes);
      }
    }
  }

  /** Whether the webhook changed the object. */
  async #apply(webhook: Webhook, attributes: AdmissionAttributes): Promise<boolean> {
    const call = matchingCall(webhook, attributes, this.#storage);
    if (call === undefined) return false;
    const answer = await ask(call, attributes, this.#caller);
    if (answer === undefined || answer.patch.length === 0 || attributes.object === undefined) return false;
    applyPatch(call, answer, attributes, attributes.object);
    return true;
  }
}

/** ValidatingWebhookConfigurations (A1, A2): all at once; any refusal refuses. */
export class ValidatingWebhooks implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionWebhook';
  readonly #storage: CachedStorage;
  readonly #source: WebhookSource;
  readonly #caller: WebhookCaller;

  constructor({ storage, caller }: WebhookAdmissionOptions) {
    this.#storage = storage;
    this.#source = new WebhookSource(storage, 'validating');
    this.#caller = caller;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes) && this.#source.webhooks(attributes.context.workspace!).length > 0;
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const webhooks = this.#source.webhooks(attributes.context.workspace!);
    const calls = webhooks
      .map((webhook) => matchingCall(webhook, attributes, this.#storage))
      .filter((call) => call !== undefined);
    if (calls.length === 0) return undefined;
    return Promise.all(calls.map((call) => ask(call, attributes, this.#caller))).then(() => undefined);
  }
}

function matchingCall(
  webhook: Webhook,
  attributes: AdmissionAttributes,
  storage: CachedStorage,
): Call | undefined {
  const version = matchingVersion(webhook, attributes);
  if (version === undefined) return undefined;
  const { context, object, oldObject } = attributes;
  if (!webhook.objectSelector.empty) {
    const matches = [object, oldObject].some(
      (one) => one !== undefined && webhook.objectSelector.matches(one.metadata.labels),
    );
    if (!matches) return undefined;
  }
  if (!webhook.namespaceSelector.empty) {
    const labels = namespaceLabels(context, object ?? oldObject, storage);
    if (labels !== undefined && !webhook.namespaceSelector.matches(labels)) return undefined;
  }
  return { webhook, version };
}

/** The request's own version, or, when equivalents count, another one of the same resource. */
function matchingVersion(
  webhook: Webhook,
  { context, operation }: AdmissionAttributes,
): ResourceVersion | undefined {
  const { definition, version } = context.served;
  const others = webhook.matchPolicy === 'Exact' ? [] : definition.versions.filter((one) => one !== version);
  return [version, ...others].find((one) =>
    webhook.rules.some((rule) =>
      ruleMatches(rule, {
        operation,
        group: definition.group,
        version: one.version,
        resource: definition.resource,
        subresource: context.subresource,
        namespaced: definition.namespaced,
      }),
    ),
  );
}

/** Labels of the namespace that the object is in, or is; undefined for other cluster-scoped objects: all match. */
function namespaceLabels(
  { workspace, served, namespace }: ResourceContext,
  object: KubeObject | undefined,
  storage: CachedStorage,
): { readonly [key: string]: string } | undefined {
  const { definition } = served;
  if (definition.group === '' && definition.resource === 'namespaces') return object?.metadata.labels ?? {};
  if (!definition.namespaced) return undefined;
  const key = objectKey({
    group: '',
    resource: 'namespaces',
    clusterId: (workspace as Workspace).id,
    namespace: '',
    name: namespace,
  });
  const entry = storage.peek(key);
  return entry === undefined ? {} : headerOf(entry).labels;
}

/** Asks one webhook; throws its refusal. Undefined when the call failed and its policy is to ignore that. */
async function ask(
  call: Call,
  attributes: AdmissionAttributes,
  caller: WebhookCaller,
): Promise<WebhookAnswer | undefined> {
  const { webhook } = call;
  const { context } = attributes;
  if (attributes.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook "${webhook.name}" does not support dry run`);
  }
  const uid = randomUUID();
  let answer: WebhookAnswer;
  try {
    if (webhook.hasMatchConditions) throw new WebhookCallError('matchConditions cannot be evaluated here');
    answer = await caller.call(webhook, reviewOf(call, attributes, uid), uid, context.signal);
  } catch (error) {
    if (!(error instanceof WebhookCallError)) throw error;
    const text = `failed calling webhook "${webhook.name}": failed to call webhook: ${error.message}`;
    if (webhook.failurePolicy === 'Fail') {
      throw new ApiError('InternalError', `Internal error occurred: ${text}`, { cause: error });
    }
    context.warnings.push(text);
    return undefined;
  }
  context.warnings.push(...answer.warnings);
  if (!answer.allowed) throw denied(webhook, answer);
  return answer;
}

/** A2: 403 unless the webhook says otherwise. */
function denied(webhook: Webhook, { status }: WebhookAnswer): ApiError {
  const { message, reason, code, details } = status;
  const lead = `admission webhook "${webhook.name}" denied the request`;
  const text =
    typeof message === 'string' && message !== ''
      ? `${lead}: ${message}`
      : typeof reason === 'string' && reason !== ''
        ? `${lead}: ${reason}`
        : `${lead} without explanation`;
  const known = typeof reason === 'string' && Object.hasOwn(statusCodeOf, reason);
  return new ApiError(known ? (reason as StatusReason) : 'Forbidden', text, {
    code: typeof code === 'number' && code >= 400 && code < 600 ? code : known ? undefined : 403,
    details: details as ApiError['details'],
  });
}

/** AdmissionReview v1 (A2). */
function reviewOf({ version }: Call, attributes: AdmissionAttributes, uid: string): JsonObject {
  const { context, operation, object, oldObject, dryRun } = attributes;
  const { definition, version: requested } = context.served;
  const { group, kind, resource } = definition;
  const { user, subresource } = context;
  const extra: JsonObject = {};
  for (const [key, values] of user.extra) extra[key] = [...values];
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid,
      kind: { group, version: version.version, kind },
      resource: { group, version: version.version, resource },
      ...(subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }),
      requestKind: { group, version: requested.version, kind },
      requestResource: { group, version: requested.version, resource },
      ...nameAndNamespace(context, object ?? oldObject),
      operation,
      userInfo: {
        username: user.name,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        groups: [...user.groups],
        extra,
      },
      object: object === undefined ? null : inVersion(object, context, version),
      oldObject: oldObject === undefined ? null : inVersion(oldObject, context, version),
      dryRun,
      options: {
        kind: optionsKind[operation],
        apiVersion: 'meta.k8s.io/v1',
        ...(dryRun ? { dryRun: ['All'] } : {}),
      },
    },
  };
}

const optionsKind = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: 'ConnectOptions',
} as const;

function nameAndNamespace(context: ResourceContext, object: KubeObject | undefined): JsonObject {
  const name = context.name === '' ? (object?.metadata.name ?? '') : context.name;
  return {
    ...(name === '' ? {} : { name }),
    ...(context.namespace === '' ? {} : { namespace: context.namespace }),
  };
}

/** The object in another version of its resource; the one given is not changed. */
function inVersion(object: KubeObject, context: ResourceContext, version: ResourceVersion): KubeObject {
  const { served } = context;
  if (version === served.version) return object;
  const { group } = served.definition;
  const stored =
    served.version.toStorage === undefined ? object : toStorageVersion(cloneJson(object), served);
  const converted = version.fromStorage === undefined ? stored : version.fromStorage(stored);
  return { ...converted, apiVersion: group === '' ? version.version : `${group}/${version.version}` };
}

/** Puts the patched object into the place of the one that the request goes on with. */
function applyPatch(
  call: Call,
  answer: WebhookAnswer,
  { context }: AdmissionAttributes,
  object: KubeObject,
): void {
  const { webhook, version } = call;
  const { served } = context;
  let patched: KubeObject;
  try {
    const seen = inVersion(object, context, version);
    patched = cloneJson(applyJsonPatch(seen, answer.patch as JsonObject[]) as KubeObject);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ApiError(
      'InternalError',
      `Internal error occurred: the patch of admission webhook "${webhook.name}" does not apply: ${why}`,
      { cause: error },
    );
  }
  const back =
    version === served.version
      ? patched
      : inVersion(patched, { ...context, served: { ...served, version } }, served.version);
  const { uid, resourceVersion, namespace } = object.metadata;
  const accepted = acceptObject(back, [], {
    workspace: context.workspace as Workspace,
    served,
    fieldValidation: 'Ignore',
    warnings: [],
  });
  for (const key in object) delete object[key];
  Object.assign(object, accepted);
  // Which object this is, is not the webhook's to say.
  if (uid !== undefined) object.metadata.uid = uid;
  if (namespace !== undefined) object.metadata.namespace = namespace;
  if (resourceVersion === undefined) delete object.metadata.resourceVersion;
  else object.metadata.resourceVersion = resourceVersion;
}
