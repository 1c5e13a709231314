import { ApiError } from '#apimachinery/api-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyJsonPatch } from '../../patch/json-patch.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { replaceObject } from '../replace-object.ts';
import { inVersion } from '../request-view.ts';
import type { WebhookAnswer } from './webhook-caller.ts';
import {
  type Call,
  failedCall,
  internal,
  type WebhookAdmissionOptions,
  WebhookCalls,
} from './webhook-calls.ts';
import type { Webhook } from './webhook-configuration.ts';

/**
 * What the audit record tells of the calls (O3): whether each one changed the object, how, and which were passed over
 * because they failed; each with the round and the webhook's number among the workspace's.
 */
const mutationPrefix = 'mutation.webhook.admission.k8s.io/';
const patchPrefix = 'patch.webhook.admission.k8s.io/';

/** MutatingWebhookConfigurations (A1, A2): one after the other, in the order of names, each seeing what the last left. */
export class MutatingWebhooks implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionWebhook';
  readonly #calls: WebhookCalls;

  constructor(options: WebhookAdmissionOptions) {
    this.#calls = new WebhookCalls('mutating', options);
  }

  handles(attributes: AdmissionAttributes): boolean {
    return this.#calls.handles(attributes);
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const webhooks = this.#calls.of(attributes);
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
    const call = this.#calls.matching(webhook, attributes);
    if (call === undefined || !(await this.#calls.isWanted(call, attributes))) return false;
    const { context, object } = attributes;
    const names = { configuration: webhook.configuration, webhook: webhook.name };
    let mutated = false;
    try {
      const answer = await this.#calls.ask(call, attributes, true, `failed-open.${mutationPrefix}${turn}`);
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
