import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { type Call, type WebhookAdmissionOptions, WebhookCalls } from './webhook-calls.ts';

/**
 * What the audit record tells of the calls (O3): which were passed over because they failed, each with the round and
 * the webhook's number among the workspace's.
 */
const validatingFailedOpenPrefix = 'failed-open.validating.webhook.admission.k8s.io/';

/** ValidatingWebhookConfigurations (A1, A2): all at once; any refusal refuses. */
export class ValidatingWebhooks implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionWebhook';
  readonly #calls: WebhookCalls;

  constructor(options: WebhookAdmissionOptions) {
    this.#calls = new WebhookCalls('validating', options);
  }

  handles(attributes: AdmissionAttributes): boolean {
    return this.#calls.handles(attributes);
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const webhooks = this.#calls.of(attributes);
    const calls: Promise<void>[] = [];
    for (const [index, webhook] of webhooks.entries()) {
      const call = this.#calls.matching(webhook, attributes);
      if (call !== undefined) calls.push(this.#ask(call, attributes, index));
    }
    if (calls.length === 0) return undefined;
    return Promise.all(calls).then(() => undefined);
  }

  async #ask(call: Call, attributes: AdmissionAttributes, index: number): Promise<void> {
    if (!(await this.#calls.isWanted(call, attributes))) return;
    await this.#calls.ask(call, attributes, false, `${validatingFailedOpenPrefix}round_0_index_${index}`);
  }
}
