import { decodeJson, MalformedJson } from '#apimachinery/decode-json.ts';
import { asText, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { base64Fault, notAnObject, wordFor } from '../../request/go-words.ts';
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
  /** `JSONPatch`; others are refused when there is something to patch. */
  readonly patchType: string;
  readonly warnings: readonly string[];
  /** By the key that the webhook chose. */
  readonly auditAnnotations: ReadonlyMap<string, string>;
}

/**
 * A call that came to nothing: the webhook's failurePolicy decides what that means. The message begins with where it
 * failed, as Kubernetes' does.
 */
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
    mutates: boolean,
    signal: AbortSignal,
  ): Promise<WebhookAnswer> {
    const { target, timeoutMs } = webhook;
    let answer: unknown;
    try {
      answer = await this.#hooks.post(target, clusterId, review, { timeoutMs, answerBytesMax, signal });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new WebhookCallError(`failed to call webhook: ${why}`, { cause: error });
    }
    return answerOf(answer, uid, mutates);
  }
}

const reviewVersion = 'admission.k8s.io/v1';
const undecoded = 'failed to call webhook: ';
const invalid = 'received invalid webhook response: ';

/** Kubernetes' decoder of AdmissionReviews and its VerifyAdmissionResponse. */
function answerOf(answer: unknown, uid: string, mutates: boolean): WebhookAnswer {
  if (answer !== null && !isJsonObject(answer)) {
    throw new WebhookCallError(`${undecoded}${notAnObject(answer as JsonValue)}`);
  }
  const { apiVersion, kind } = answer ?? {};
  if (apiVersion !== undefined || kind !== undefined) refuseOtherKind(asText(apiVersion), asText(kind));
  const response = answer?.['response'];
  if (!isJsonObject(response)) throw new WebhookCallError(`${invalid}webhook response was absent`);
  const { allowed, status, warnings, auditAnnotations } = response;
  if (response['uid'] !== uid) {
    const found = JSON.stringify(asText(response['uid']));
    throw new WebhookCallError(`${invalid}expected response.uid=${JSON.stringify(uid)}, got ${found}`);
  }
  if (apiVersion !== reviewVersion || kind !== 'AdmissionReview') {
    const found = apiVersion === undefined ? '/' : asText(apiVersion);
    throw new WebhookCallError(
      `${invalid}expected webhook response of ${reviewVersion}, Kind=AdmissionReview, got ${found}, Kind=${asText(kind)}`,
    );
  }
  return {
    allowed: allowed === true,
    status: isJsonObject(status) ? status : {},
    ...patchOf(response, mutates),
    auditAnnotations: new Map(
      Object.entries(isJsonObject(auditAnnotations) ? auditAnnotations : {}).filter(
        (pair): pair is [string, string] => typeof pair[1] === 'string',
      ),
    ),
    warnings: Array.isArray(warnings) ? warnings.filter((one) => typeof one === 'string') : [],
  };
}

function refuseOtherKind(apiVersion: string, kind: string): void {
  if (kind === 'AdmissionReview' && apiVersion === 'admission.k8s.io/v1beta1') {
    const why = 'converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion';
    throw new WebhookCallError(`${undecoded}${why}`);
  }
  const isOurs = apiVersion === '' || apiVersion === reviewVersion;
  if (isOurs && (kind === '' || kind === 'AdmissionReview')) return;
  const why = `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`;
  throw new WebhookCallError(`${undecoded}${why}`);
}

function patchOf(
  { patch, patchType }: JsonObject,
  mutates: boolean,
): Pick<WebhookAnswer, 'patch' | 'patchType'> {
  const text = asText(patch);
  const wrong = text === '' ? undefined : base64Fault(text);
  if (wrong !== undefined) throw new WebhookCallError(`${undecoded}${wrong}`);
  const hasType = patchType !== undefined && patchType !== null;
  if (!mutates) {
    if (text !== '') throw new WebhookCallError(`${invalid}validating webhook may not return response.patch`);
    if (hasType) {
      throw new WebhookCallError(`${invalid}validating webhook may not return response.patchType`);
    }
    return { patch: [], patchType: '' };
  }
  if (text !== '' && !hasType) {
    throw new WebhookCallError(`${invalid}webhook returned response.patch but not response.patchType`);
  }
  if (text === '' && hasType) {
    throw new WebhookCallError(`${invalid}webhook returned response.patchType but not response.patch`);
  }
  if (patchType === '') {
    throw new WebhookCallError(`${invalid}webhook returned invalid response.patchType of ""`);
  }
  return { patch: text === '' ? [] : operationsOf(text), patchType: asText(patchType) };
}

function operationsOf(base64: string): readonly JsonObject[] {
  const lead = 'received undecodable patch in webhook response: ';
  let decoded: JsonValue;
  try {
    decoded = decodeJson(Buffer.from(base64, 'base64')).value;
  } catch (error) {
    const why = error instanceof MalformedJson ? error.why : String(error);
    throw new WebhookCallError(`${lead}${why}`, { cause: error });
  }
  const expected = Array.isArray(decoded) ? 'Operation' : 'Patch';
  const wrong = Array.isArray(decoded) ? decoded.find((one) => !isJsonObject(one)) : (decoded ?? undefined);
  if (wrong !== undefined) {
    const why = `json: cannot unmarshal ${wordFor(wrong)} into Go value of type jsonpatch.${expected}`;
    throw new WebhookCallError(`${lead}${why}`);
  }
  return Array.isArray(decoded) ? decoded.filter(isJsonObject) : [];
}
