import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import type { AdmissionOperation } from './admission.ts';
import { BoundedSeries } from './bounded-series.ts';
import { type AdmissionStep, OperationTimes, stepBounds } from './operation-times.ts';

/** kube-apiserver's of webhooks, in seconds (apiserver/pkg/admission/metrics). */
const webhookBounds = [...stepBounds, 10, 25] as const;
/** The same of policies (plugin/policy/validating/metrics, mutating/metrics). */
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

/** A mutation of a policy, tried. */
export interface ObservedMutation {
  readonly policy: string;
  readonly binding: string;
  readonly errorType: PolicyErrorType;
  readonly startedAtMs: number;
}

/** How long admission takes as a whole and by who takes part in it, what webhooks were asked and what policies found. */
export class AdmissionMetrics {
  /** Of all of a step: what changes the object, what only looks at it. */
  readonly #steps = new OperationTimes();
  readonly #controllers = new Map<string, OperationTimes>();
  readonly #calls = new BoundedSeries(['name'], () => new Histogram(webhookBounds));
  readonly #answers = new BoundedSeries(['name', 'code'], () => 0);
  readonly #rejections = new BoundedSeries(['name', 'rejection_code'], () => 0);
  readonly #failedOpen = new BoundedSeries(['name'], () => 0);
  readonly #checks = new BoundedSeries(['policy', 'policy_binding'], () => new Histogram(policyBounds));
  readonly #mutations = new BoundedSeries(['policy', 'policy_binding'], () => new Histogram(policyBounds));

  /** Where the times of a plugin of that name are kept. */
  controller(name: string): OperationTimes {
    let times = this.#controllers.get(name);
    if (times === undefined) {
      times = new OperationTimes();
      this.#controllers.set(name, times);
    }
    return times;
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

  observeMutation({ policy, binding, errorType, startedAtMs }: ObservedMutation): void {
    const labels = { error_type: errorType, policy, policy_binding: binding };
    this.#mutations.at(labels).value.observe((performance.now() - startedAtMs) / 1_000);
  }

  /** `startedAtMs`: of performance.now. */
  observeStep(
    type: AdmissionStep,
    operation: AdmissionOperation,
    isRejected: boolean,
    startedAtMs: number,
  ): void {
    this.#steps.observe(type, operation, isRejected, performance.now() - startedAtMs);
  }

  render(text: MetricText): void {
    this.#renderControllers(text);
    this.#renderCalls(text);
    this.#renderPolicies(text);
    for (const [labels, seconds] of this.#steps)
      text.histogram(
        'apiserver_admission_step_admission_duration_seconds',
        'How long the steps of admission took, webhooks and policies among them.',
        seconds,
        { ...labels },
      );
  }

  #renderControllers(text: MetricText): void {
    for (const [name, times] of this.#controllers)
      for (const [labels, seconds] of times)
        text.histogram(
          'apiserver_admission_controller_admission_duration_seconds',
          'How long each of those took that had to do with what was written.',
          seconds,
          { name, ...labels },
        );
  }

  #renderCalls(text: MetricText): void {
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
  }

  #renderPolicies(text: MetricText): void {
    const policies = [
      ['validating', 'What policies had against requests.', this.#checks],
      ['mutating', 'Mutations of policies that were tried.', this.#mutations],
    ] as const;
    for (const [type, help, series] of policies) {
      const name = `apiserver_${type}_admission_policy_check`;
      for (const [labels, seconds] of series) {
        text.counter(`${name}_total`, help, seconds.count, labels);
        text.histogram(`${name}_duration_seconds`, 'How long that took.', seconds, labels);
      }
    }
  }
}
