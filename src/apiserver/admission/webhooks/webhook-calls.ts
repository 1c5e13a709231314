import { randomUUID } from 'node:crypto';
import { ApiError, badRequest, forbidden, type StatusReason, statusCodeOf } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { AdmissionAttributes } from '../admission.ts';
import type { AdmissionMetrics, WebhookErrorType } from '../admission-metrics.ts';
import { type DecisionMemo, PendingDecision } from '../policies/cel-authorizer.ts';
import { BudgetError, conditionsCostMax, Evaluation } from '../policies/evaluation.ts';
import { conditionsHold } from '../policies/match-conditions.ts';
import { conditionInput, policyInput } from '../policies/policy-input.ts';
import {
  admissionRequest,
  concernsTenants,
  namespaceLabels,
  objectsInVersion,
  requestedName,
} from '../request-view.ts';
import { type WebhookAnswer, WebhookCallError, type WebhookCaller } from './webhook-caller.ts';
import { ruleMatches, type Webhook } from './webhook-configuration.ts';
import { WebhookSource } from './webhook-source.ts';

export interface WebhookAdmissionOptions {
  readonly storage: CachedStorage;
  readonly caller: WebhookCaller;
  /** For the variable `authorizer` of match conditions. */
  readonly authorizer?: Authorizer | undefined;
  readonly metrics?: AdmissionMetrics | undefined;
}

/** Waits for an authorizer in the match conditions of one webhook. */
const decisionsMax = 100;

/** A webhook that is to be called, and the version of the resource that its rules speak of. */
export interface Call {
  readonly webhook: Webhook;
  readonly version: ResourceVersion;
}

/** The webhooks of one kind in all workspaces: which of them a request concerns, and what they answer. */
export class WebhookCalls {
  readonly #options: WebhookAdmissionOptions;
  readonly #source: WebhookSource;

  constructor(kind: 'mutating' | 'validating', options: WebhookAdmissionOptions) {
    this.#options = options;
    this.#source = new WebhookSource(options.storage, kind);
  }

  /** Whether the request's workspace has any. */
  handles(attributes: AdmissionAttributes): boolean {
    return concernsTenants(attributes) && this.of(attributes).length > 0;
  }

  /** Those of the request's workspace, by name. */
  of(attributes: AdmissionAttributes): readonly Webhook[] {
    return this.#source.webhooks(attributes.context.workspace!);
  }

  /** Undefined when the webhook's rules or selectors leave the request out. */
  matching(webhook: Webhook, attributes: AdmissionAttributes): Call | undefined {
    return matchingCall(webhook, attributes, this.#options.storage);
  }

  /**
   * Whether a webhook's match conditions hold. Conditions that cannot be evaluated refuse the request, or pass the webhook
   * over, by its failure policy (KEP-3716).
   */
  async isWanted({ webhook, version }: Call, attributes: AdmissionAttributes): Promise<boolean> {
    const { storage, authorizer } = this.#options;
    const { conditions } = webhook;
    if (conditions.length === 0) return true;
    const memo: DecisionMemo = new Map();
    let error: string | undefined;
    for (let waits = 0; waits < decisionsMax; waits++) {
      try {
        const input = policyInput(attributes, version, undefined, { storage, authorizer, memo });
        const result = conditionsHold(conditions, new Evaluation(conditionInput(input), conditionsCostMax));
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
    const { definition } = attributes.context.served;
    throw forbidden(definition, requestedName(attributes), error ?? 'too many authorization decisions');
  }

  /**
   * Asks one webhook; throws its refusal. Undefined when the call failed and its policy is to ignore that, which the audit
   * record tells under `failedOpenKey`.
   */
  async ask(
    call: Call,
    attributes: AdmissionAttributes,
    mutates: boolean,
    failedOpenKey: string,
  ): Promise<WebhookAnswer | undefined> {
    const { webhook } = call;
    const { context } = attributes;
    if (attributes.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
      throw badRequest(`admission webhook "${webhook.name}" does not support dry run`);
    }
    const uid = randomUUID();
    const startedAtMs = performance.now();
    const observe = (code: number, rejection?: WebhookErrorType, failedOpen = false) =>
      this.#options.metrics?.observeCall({
        ...{ name: webhook.name, operation: attributes.operation, code, rejection, failedOpen, startedAtMs },
        type: mutates ? 'admit' : 'validating',
      });
    let answer: WebhookAnswer;
    try {
      const { id } = context.workspace as Workspace;
      answer = await this.#options.caller.call(
        webhook,
        id,
        reviewOf(call, attributes, uid),
        uid,
        mutates,
        context.signal,
      );
    } catch (error) {
      if (!(error instanceof WebhookCallError)) throw error;
      const isRefused = webhook.failurePolicy === 'Fail';
      observe(500, isRefused ? 'calling_webhook_error' : undefined, !isRefused);
      // Ignoring tells the audit record, never the client: where a workspace's webhooks are is not its users' business.
      if (isRefused) throw failedCall(webhook, error.message, error);
      context.annotate?.(failedOpenKey, webhook.name);
      return undefined;
    }
    context.warnings.push(...answer.warnings);
    for (const [key, value] of answer.auditAnnotations) context.annotate?.(`${webhook.name}/${key}`, value);
    const refusal = answer.allowed ? undefined : denied(webhook, answer);
    observe(refusal?.code ?? 200, refusal === undefined ? undefined : 'no_error');
    if (refusal !== undefined) throw refusal;
    return answer;
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

/** AdmissionReview v1 (A2). */
function reviewOf({ version }: Call, attributes: AdmissionAttributes, uid: string): JsonObject {
  const { object = null, oldObject = null } = objectsInVersion(attributes, version);
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      ...admissionRequest(attributes, version, uid),
      object,
      oldObject,
    },
  };
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
export function internal(why: string, cause?: unknown): ApiError {
  return new ApiError('InternalError', `Internal error occurred: ${why}`, {
    details: { causes: [{ message: why }] },
    cause,
  });
}

export function failedCall({ name }: Webhook, why: string, cause?: unknown): ApiError {
  return internal(`failed calling webhook ${JSON.stringify(name)}: ${why}`, cause);
}
