import { LRUCache } from 'lru-cache';
import { Agent, request } from 'undici';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { linkedController } from '#apimachinery/lifecycle.ts';
import type { Webhook } from './webhook-configuration.ts';

/** Largest answer that is read. */
const answerBytesMax = 4 * 1024 * 1024;
/** Connection pools kept, one per CA bundle. */
const agentsMax = 64;
const connectionsPerHostMax = 16;

/** What a webhook said, checked for its form. */
export interface WebhookAnswer {
  readonly allowed: boolean;
  readonly status: JsonObject;
  /** RFC 6902. */
  readonly patch: readonly JsonObject[];
  readonly warnings: readonly string[];
}

/** A call that came to nothing: the webhook's failurePolicy decides what that means. */
export class WebhookCallError extends Error {
  override readonly name = 'WebhookCallError';
}

/** Calls webhooks over HTTPS, each within its own timeout. */
export class WebhookCaller {
  readonly #agents = new LRUCache<string, Agent>({
    max: agentsMax,
    dispose: (agent) => {
      void agent.close();
    },
  });

  /** Sends an AdmissionReview; throws WebhookCallError for anything but a well-formed answer to it. */
  async call(webhook: Webhook, review: JsonObject, uid: string, signal: AbortSignal): Promise<WebhookAnswer> {
    const url = checkedUrl(webhook);
    // Not AbortSignal.any: in Node 20 a long-lived signal keeps a reference for every one made of it.
    const ending = linkedController(signal);
    const timer = setTimeout(
      () => ending.abort(new Error(`no answer within ${webhook.timeoutMs} ms`)),
      webhook.timeoutMs,
    );
    let answer: unknown;
    try {
      const response = await request(url, {
        method: 'POST',
        dispatcher: this.#agent(webhook.caBundle ?? ''),
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(review),
        query: { timeout: `${webhook.timeoutMs / 1000}s` },
        signal: ending.signal,
      });
      if (response.statusCode !== 200) {
        await response.body.dump();
        throw new WebhookCallError(`the server answered ${response.statusCode}`);
      }
      answer = JSON.parse(await readBounded(response.body));
    } catch (error) {
      if (error instanceof WebhookCallError) throw error;
      throw new WebhookCallError(messageOf(error), { cause: error });
    } finally {
      clearTimeout(timer);
      ending.dispose();
    }
    return answerOf(answer, uid);
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #agent(caBundle: string): Agent {
    let agent = this.#agents.get(caBundle);
    if (agent === undefined) {
      agent = new Agent({
        connections: connectionsPerHostMax,
        connect: caBundle === '' ? {} : { ca: caBundle },
      });
      this.#agents.set(caBundle, agent);
    }
    return agent;
  }
}

function checkedUrl(webhook: Webhook): string {
  if (webhook.url === undefined) {
    throw new WebhookCallError('services cannot be reached from here; give clientConfig.url');
  }
  if (!webhook.url.startsWith('https://')) throw new WebhookCallError('clientConfig.url must be https');
  return webhook.url;
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > answerBytesMax)
      throw new WebhookCallError(`the answer is larger than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
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
  const { allowed, status, patch, patchType, warnings } = response;
  return {
    allowed: allowed === true,
    status: isJsonObject(status) ? status : {},
    patch: patchOf(patch, patchType),
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
