import { randomUUID } from 'node:crypto';
import { ApiError, badRequest, forbidden, type StatusReason, statusCodeOf } from '#apimachinery/api-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import { applyJsonPatch } from '../../patch/json-patch.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { type DecisionMemo, PendingDecision } from '../policies/cel-authorizer.ts';
import { BudgetError, conditionsCostMax, Evaluation } from '../policies/evaluation.ts';
import { conditionsHold } from '../policies/match-conditions.ts';
import { policyInput } from '../policies/policy-input.ts';
import { replaceObject } from '../replace-object.ts';
import { admissionRequest, concernsTenants, inVersion, namespaceLabels } from '../request-view.ts';
import { type WebhookAnswer, WebhookCallError, type WebhookCaller } from './webhook-caller.ts';
import { ruleMatches, type Webhook } from './webhook-configuration.ts';
import { WebhookSource } from './webhook-source.ts';

export interface WebhookAdmissionOptions {
  readonly storage: CachedStorage;
  readonly caller: WebhookCaller;
  /** For the variable `authorizer` of match conditions. */
  readonly authorizer?: Authorizer | undefined;
}

/**
 * What the audit record tells of the calls (O3): whether each one changed the object, how, and which were passed over
 * because they failed; each with the round and the webhook's number among the workspace's.
 */
const mutationPrefix = 'mutation.webhook.admission.k8s.io/';
const patchPrefix = 'patch.webhook.admission.k8s.io/';
const validatingFailedOpenPrefix = 'failed-open.validating.webhook.admission.k8s.io/';

/** Waits for an authorizer in the match conditions of one webhook. */
const decisionsMax = 100;

/** A webhook that is to be called, and the version of the resource that its rules speak of. */
interface Call {
  readonly webhook: Webhook;
  readonly version: ResourceVersion;
}

/** MutatingWebhookConfigurations (A1, A2): one after the other, in the order of names, each seeing what the last left. */
export class MutatingWebhooks implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionWebhook';
  readonly #storage: CachedStorage;
  readonly #source: WebhookSource;
  readonly #caller: WebhookCaller;
  readonly #authorizer: Authorizer | undefined;

  constructor({ storage, caller, authorizer }: WebhookAdmissionOptions) {
    this.#storage = storage;
    this.#source = new WebhookSource(storage, 'mutating');
    this.#caller = caller;
    this.#authorizer = authorizer;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concernsTenants(attributes) && this.#source.webhooks(attributes.context.workspace!).length > 0;
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const webhooks = this.#source.webhooks(attributes.context.workspace!);
    return this.#run(webhooks, attributes);
  }

  async #run(webhooks: readonly Webhook[], attributes: AdmissionAttributes): Promise<void> {
    const changedBy: (Webhook | undefined)[] = [];
    for (const [index, webhook] of webhooks.entries()) {
      const changed = await this.#apply(webhook, attributes, `round_0_index_${index}`);
      changedBy.push(changed ? webhook : undefined);
    }
    // Reinvocation: once more for those that asked for it and after whose call another one changed something.
    for (let i = 0; i < webhooks.length; i++) {
      const webhook = webhooks[i]!;
      if (webhook.reinvokes && changedBy.slice(i + 1).some((one) => one !== undefined)) {
        await this.#apply(webhook, attributes, `round_1_index_${i}`);
      }
    }
  }

  /** Whether the webhook changed the object. `turn`: which of all calls it is, as the audit record names it. */
  async #apply(webhook: Webhook, attributes: AdmissionAttributes, turn: string): Promise<boolean> {
    const call = matchingCall(webhook, attributes, this.#storage);
    if (call === undefined || !(await isWanted(call, attributes, this.#storage, this.#authorizer)))
      return false;
    const { context, object } = attributes;
    const names = { configuration: webhook.configuration, webhook: webhook.name };
    let mutated = false;
    try {
      const answer = await ask(call, attributes, this.#caller, true, `failed-open.${mutationPrefix}${turn}`);
      if (answer === undefined || answer.patch.length === 0) return false;
      if (object === undefined) throw cannotModify(webhook);
      if (answer.patchType !== 'JSONPatch') {
        const why = `unsupported patch type ${JSON.stringify(answer.patchType)}`;
        if (webhook.failurePolicy === 'Fail') throw failedCall(webhook, why);
        context.annotate?.(`failed-open.${mutationPrefix}${turn}`, webhook.name);
        return false;
      }
      mutated = applyPatch(call, answer, attributes, object);
      const told = { ...names, patch: answer.patch, patchType: 'JSONPatch' };
      context.annotate?.(`${patchPrefix}${turn}`, JSON.stringify(told), 'Request');
      return mutated;
    } finally {
      context.annotate?.(`${mutationPrefix}${turn}`, JSON.stringify({ ...names, mutated }));
    }
  }
}

/** ValidatingWebhookConfigurations (A1, A2): all at once; any refusal refuses. */
export class ValidatingWebhooks implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionWebhook';
  readonly #storage: CachedStorage;
  readonly #source: WebhookSource;
  readonly #caller: WebhookCaller;
  readonly #authorizer: Authorizer | undefined;

  constructor({ storage, caller, authorizer }: WebhookAdmissionOptions) {
    this.#storage = storage;
    this.#source = new WebhookSource(storage, 'validating');
    this.#caller = caller;
    this.#authorizer = authorizer;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concernsTenants(attributes) && this.#source.webhooks(attributes.context.workspace!).length > 0;
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const webhooks = this.#source.webhooks(attributes.context.workspace!);
    const calls: Promise<void>[] = [];
    for (const [index, webhook] of webhooks.entries()) {
      const call = matchingCall(webhook, attributes, this.#storage);
      if (call !== undefined) calls.push(this.#ask(call, attributes, index));
    }
    if (calls.length === 0) return undefined;
    return Promise.all(calls).then(() => undefined);
  }

  async #ask(call: Call, attributes: AdmissionAttributes, index: number): Promise<void> {
    if (!(await isWanted(call, attributes, this.#storage, this.#authorizer))) return;
    await ask(call, attributes, this.#caller, false, `${validatingFailedOpenPrefix}round_0_index_${index}`);
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

/**
 * Whether a webhook's match conditions hold. Conditions that cannot be evaluated refuse the request, or pass the webhook
 * over, by its failure policy (KEP-3716).
 */
async function isWanted(
  { webhook, version }: Call,
  attributes: AdmissionAttributes,
  storage: CachedStorage,
  authorizer: Authorizer | undefined,
): Promise<boolean> {
  const { conditions } = webhook;
  if (conditions.length === 0) return true;
  const memo: DecisionMemo = new Map();
  let error: string | undefined;
  for (let waits = 0; waits < decisionsMax; waits++) {
    try {
      const input = policyInput(attributes, version, undefined, { storage, authorizer, memo });
      const result = conditionsHold(conditions, new Evaluation(input, conditionsCostMax));
      if (result.error === undefined) return result.matches;
      error = result.error;
      break;
    } catch (caught) {
      if (caught instanceof PendingDecision) await caught.answer;
      else if (caught instanceof BudgetError) {
        error = caught.message;
        break;
      } else throw caught;
    }
  }
  if (webhook.failurePolicy === 'Ignore') return false;
  const { served, name } = attributes.context;
  const told = name === '' ? (attributes.object?.metadata.name ?? '') : name;
  throw forbidden(served.definition, told, error ?? 'too many authorization decisions');
}

/** AdmissionReview v1 (A2). */
function reviewOf({ version }: Call, attributes: AdmissionAttributes, uid: string): JsonObject {
  const { context, object, oldObject } = attributes;
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      ...admissionRequest(attributes, version, uid),
      object: object === undefined ? null : inVersion(object, context, version),
      oldObject: oldObject === undefined ? null : inVersion(oldObject, context, version),
    },
  };
}

/**
 * Asks one webhook; throws its refusal. Undefined when the call failed and its policy is to ignore that, which the audit
 * record tells under `failedOpenKey`.
 */
async function ask(
  call: Call,
  attributes: AdmissionAttributes,
  caller: WebhookCaller,
  mutates: boolean,
  failedOpenKey: string,
): Promise<WebhookAnswer | undefined> {
  const { webhook } = call;
  const { context } = attributes;
  if (attributes.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook "${webhook.name}" does not support dry run`);
  }
  const uid = randomUUID();
  let answer: WebhookAnswer;
  try {
    const { id } = context.workspace as Workspace;
    answer = await caller.call(webhook, id, reviewOf(call, attributes, uid), uid, mutates, context.signal);
  } catch (error) {
    if (!(error instanceof WebhookCallError)) throw error;
    // Ignoring tells the audit record, never the client: where a workspace's webhooks are is not its users' business.
    if (webhook.failurePolicy === 'Fail') throw failedCall(webhook, error.message, error);
    context.annotate?.(failedOpenKey, webhook.name);
    return undefined;
  }
  context.warnings.push(...answer.warnings);
  for (const [key, value] of answer.auditAnnotations) context.annotate?.(`${webhook.name}/${key}`, value);
  if (!answer.allowed) throw denied(webhook, answer);
  return answer;
}

/** A2; webhook/errors ToStatusErr: 400 and no reason, unless the webhook says otherwise. */
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
  return new ApiError(known ? (reason as StatusReason) : '', text, {
    code: typeof code === 'number' && code >= 400 && code < 600 ? code : 400,
    details: details as ApiError['details'],
  });
}

/** 500 that tells its cause in `details` too, as NewInternalError does. */
function internal(why: string, cause?: unknown): ApiError {
  return new ApiError('InternalError', `Internal error occurred: ${why}`, {
    details: { causes: [{ message: why }] },
    cause,
  });
}

function failedCall({ name }: Webhook, why: string, cause?: unknown): ApiError {
  return internal(`failed calling webhook ${JSON.stringify(name)}: ${why}`, cause);
}

function cannotModify({ name }: Webhook): ApiError {
  return internal(
    `admission webhook "${name}" attempted to modify the object, which is not supported for this operation`,
  );
}

/** Puts the patched object into the place of the one that the request goes on with; returns whether it is another. */
function applyPatch(
  call: Call,
  answer: WebhookAnswer,
  attributes: AdmissionAttributes,
  object: KubeObject,
): boolean {
  const { version } = call;
  const seen = inVersion(object, attributes.context, version);
  let patched: KubeObject;
  try {
    patched = applyJsonPatch(seen, answer.patch as JsonObject[]) as KubeObject;
  } catch (error) {
    // What a client is told of its own patch says nothing; why it does not apply is the cause.
    const { cause } = error as Error;
    throw internal(cause instanceof Error ? cause.message : String(error), error);
  }
  const isChanged = !equalJson(seen, patched);
  try {
    replaceObject(attributes, version, patched);
  } catch (error) {
    throw undecodable(error);
  }
  return isChanged;
}

/** What cannot be read of a patched object is the webhook's fault, not the client's. */
function undecodable(error: unknown): unknown {
  const [, why] =
    /^\S+ in version "[^"]*" cannot be handled as a \S+: (.*)$/s.exec((error as Error).message) ?? [];
  if (why === undefined) return error;
  return why.startsWith('converting ') ? new ApiError('', why, { cause: error }) : internal(why, error);
}
