import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { HookClient } from '../../services/hook-client.ts';
import type { Webhook } from './webhook-configuration.ts';

/** Largest answer that is read. */
const answerBytesMax = 4 * 1024 * 1024;

/** What a webhook said, checked for its form. */
export interface WebhookAnswer {
  readonly allowed: boolean;
  readonly status: JsonObject;
  /** RFC 6902. */
  readonly patch: readonly JsonObject[];
  readonly warnings: readonly string[];
  /** By the key that the webhook chose. */
  readonly auditAnnotations: ReadonlyMap<string, string>;
}

/** A call that came to nothing: the webhook's failurePolicy decides what that means. */
export class WebhookCallError extends Error {
  override readonly name = 'WebhookCallError';
}

/** Calls admission webhooks, each within its own timeout. */
export class WebhookCaller {
  readonly #hooks: HookClient;

  constructor(hooks: HookClient) {
    this.#hooks = hooks;
  }

  /**
   * Sends an AdmissionReview; throws WebhookCallError for anything but a well-formed answer to it. `clusterId`: the
   * workspace in which a Service is looked for.
   */
  async call(
    webhook: Webhook,
    clusterId: string,
    review: JsonObject,
    uid: string,
    signal: AbortSignal,
  ): Promise<WebhookAnswer> {
    const { target, timeoutMs } = webhook;
    let answer: unknown;
    try {
      answer = await this.#hooks.post(target, clusterId, review, { timeoutMs, answerBytesMax, signal });
    } catch (error) {
      throw new WebhookCallError(messageOf(error), { cause: error });
    }
    return answerOf(answer, uid);
  }
}

/** Kubernetes' VerifyAdmissionResponse. */
function answerOf(answer: unknown, uid: string): WebhookAnswer {
  if (!isJsonObject(answer) || answer['kind'] !== 'AdmissionReview' || !isJsonObject(answer['response'])) {
    throw new WebhookCallError('the answer is no AdmissionReview with a response');
  }
  if (answer['apiVersion'] !== 'admission.k8s.io/v1') {
    throw new WebhookCallError(
      `expected apiVersion admission.k8s.io/v1, got ${String(answer['apiVersion'])}`,
    );
  }
  const { response } = answer;
  if (response['uid'] !== uid) throw new WebhookCallError(`expected response.uid="${uid}"`);
  const { allowed, status, patch, patchType, warnings, auditAnnotations } = response;
  return {
    allowed: allowed === true,
    status: isJsonObject(status) ? status : {},
    patch: patchOf(patch, patchType),
    auditAnnotations: new Map(
      Object.entries(isJsonObject(auditAnnotations) ? auditAnnotations : {}).filter(
        (pair): pair is [string, string] => typeof pair[1] === 'string',
      ),
    ),
    warnings: Array.isArray(warnings) ? warnings.filter((one) => typeof one === 'string') : [],
  };
}

function patchOf(patch: unknown, patchType: unknown): readonly JsonObject[] {
  if (patch === undefined || patch === null || patch === '') return [];
  if (typeof patch !== 'string' || patchType !== 'JSONPatch') {
    throw new WebhookCallError('response.patch must be base64 text with response.patchType JSONPatch');
  }
  const operations: unknown = parse(Buffer.from(patch, 'base64').toString('utf8'));
  if (!Array.isArray(operations) || !operations.every(isJsonObject)) {
    throw new WebhookCallError('response.patch is no JSON patch');
  }
  return operations;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new WebhookCallError('response.patch is no JSON', { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
