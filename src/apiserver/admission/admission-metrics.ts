import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import type { AdmissionOperation } from './admission.ts';
import { BoundedSeries } from './bounded-series.ts';

/** kube-apiserver's, in seconds (apiserver/pkg/admission/metrics). */
const stepBounds = [0.005, 0.025, 0.1, 0.5, 1, 2.5] as const;

/** The same of webhooks. */
const webhookBounds = [...stepBounds, 10, 25] as const;
/** The same of policies (plugin/policy/validating/metrics). */
const policyBounds = [0.000_000_5, 0.001, 0.01, 0.1, 1] as const;

export type WebhookErrorType = 'no_error' | 'calling_webhook_error' | 'apiserver_internal_error';
export type PolicyErrorType = 'no_error' | 'compile_error' | 'invalid_error' | 'out_of_budget';

/** A call of a webhook. */
export interface ObservedCall {
  readonly name: string;
  readonly type: 'admit' | 'validating';
  readonly operation: AdmissionOperation;
  /** HTTP's, of what the client would be told; 200 where the webhook allowed. */
  readonly code: number;
  /** Absent when the request goes on. */
  readonly rejection?: WebhookErrorType | undefined;
  /** Nobody answered, and the request went on. */
  readonly failedOpen?: boolean | undefined;
  readonly startedAtMs: number;
}

/** What a policy had against a request. */
export interface ObservedCheck {
  readonly policy: string;
  readonly binding: string;
  readonly errorType: PolicyErrorType;
  readonly action: 'deny' | 'warn' | 'audit';
  readonly startedAtMs: number;
}

export type AdmissionStep = 'admit' | 'validate';

type ByOperation = Map<AdmissionOperation, Histogram>;

/** How long admission takes as a whole: what changes the object, and what only looks at it. */
export class AdmissionMetrics {
  /** Found by what they are: a text put together of it costs more than all else that is done here. */
  readonly #passed: { readonly [type in AdmissionStep]: ByOperation } = {
    admit: new Map(),
    validate: new Map(),
  };
  readonly #rejected: { readonly [type in AdmissionStep]: ByOperation } = {
    admit: new Map(),
    validate: new Map(),
  };

  readonly #controllers = new BoundedSeries([], () => new Histogram(stepBounds));
  readonly #calls = new BoundedSeries(['name'], () => new Histogram(webhookBounds));
  readonly #answers = new BoundedSeries(['name', 'code'], () => 0);
  readonly #rejections = new BoundedSeries(['name', 'rejection_code'], () => 0);
  readonly #failedOpen = new BoundedSeries(['name'], () => 0);
  readonly #checks = new BoundedSeries(['policy', 'policy_binding'], () => new Histogram(policyBounds));

  observeController(
    name: string,
    type: AdmissionStep,
    operation: AdmissionOperation,
    isRejected: boolean,
    startedAtMs: number,
  ): void {
    const labels = { name, operation, rejected: String(isRejected), type };
    this.#controllers.at(labels).value.observe((performance.now() - startedAtMs) / 1_000);
  }

  observeCall({ name, type, operation, code, rejection, failedOpen, startedAtMs }: ObservedCall): void {
    const labels = { name, operation, rejected: String(rejection !== undefined), type };
    this.#calls.at(labels).value.observe((performance.now() - startedAtMs) / 1_000);
    // As Kubernetes has it, that tenants' webhooks may say anything.
    const told = code > 600 ? '600' : String(code);
    this.#answers.at({ code: told, ...labels }).value++;
    if (rejection !== undefined)
      this.#rejections.at({ error_type: rejection, name, operation, rejection_code: told, type }).value++;
    if (failedOpen === true) this.#failedOpen.at({ name, type }).value++;
  }

  observeCheck({ policy, binding, errorType, action, startedAtMs }: ObservedCheck): void {
    const labels = {
      enforcement_action: action,
      error_type: errorType,
      policy,
      policy_binding: binding,
    };
    this.#checks.at(labels).value.observe((performance.now() - startedAtMs) / 1_000);
  }

  /** `startedAtMs`: of performance.now. */
  observeStep(
    type: AdmissionStep,
    operation: AdmissionOperation,
    isRejected: boolean,
    startedAtMs: number,
  ): void {
    const byOperation = (isRejected ? this.#rejected : this.#passed)[type];
    let seconds = byOperation.get(operation);
    if (seconds === undefined) {
      seconds = new Histogram(stepBounds);
      byOperation.set(operation, seconds);
    }
    seconds.observe((performance.now() - startedAtMs) / 1_000);
  }

  render(text: MetricText): void {
    this.#renderNamed(text);
    for (const type of ['admit', 'validate'] as const) {
      for (const [operation, seconds] of this.#passed[type])
        renderStep(text, seconds, { type, operation, rejected: 'false' });
      for (const [operation, seconds] of this.#rejected[type])
        renderStep(text, seconds, { type, operation, rejected: 'true' });
    }
  }

  #renderNamed(text: MetricText): void {
    for (const [labels, seconds] of this.#controllers)
      text.histogram(
        'apiserver_admission_controller_admission_duration_seconds',
        'How long those steps took that do what tenants ask for.',
        seconds,
        labels,
      );
    for (const [labels, seconds] of this.#calls)
      text.histogram(
        'apiserver_admission_webhook_admission_duration_seconds',
        'How long calls of webhooks took.',
        seconds,
        labels,
      );
    const counts = [
      ['apiserver_admission_webhook_request_total', 'Calls of webhooks.', this.#answers],
      ['apiserver_admission_webhook_rejection_count', 'Requests that webhooks ended.', this.#rejections],
      ['apiserver_admission_webhook_fail_open_count', 'Webhooks passed over: they failed.', this.#failedOpen],
    ] as const;
    for (const [name, help, series] of counts)
      for (const [labels, count] of series) text.counter(name, help, count, labels);
    for (const [labels, seconds] of this.#checks) {
      text.counter(
        'apiserver_validating_admission_policy_check_total',
        'What policies had against requests.',
        seconds.count,
        labels,
      );
      text.histogram(
        'apiserver_validating_admission_policy_check_duration_seconds',
        'How long it took to find that out.',
        seconds,
        labels,
      );
    }
  }
}

function renderStep(text: MetricText, seconds: Histogram, labels: { readonly [name: string]: string }): void {
  text.histogram(
    'apiserver_admission_step_admission_duration_seconds',
    'How long the steps of admission took, webhooks and policies among them.',
    seconds,
    labels,
  );
}
