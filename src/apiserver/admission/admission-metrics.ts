import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import type { AdmissionOperation } from './admission.ts';

/** kube-apiserver's, in seconds (apiserver/pkg/admission/metrics). */
const stepBounds = [0.005, 0.025, 0.1, 0.5, 1, 2.5] as const;

export type AdmissionStep = 'admit' | 'validate';

interface StepLabels {
  readonly type: AdmissionStep;
  readonly operation: AdmissionOperation;
  readonly rejected: 'true' | 'false';
}

/** How long admission takes as a whole: what changes the object, and what only looks at it. */
export class AdmissionMetrics {
  readonly #steps = new Map<string, { readonly labels: StepLabels; readonly seconds: Histogram }>();

  /** `startedAtMs`: of performance.now. */
  observeStep(
    type: AdmissionStep,
    operation: AdmissionOperation,
    isRejected: boolean,
    startedAtMs: number,
  ): void {
    const key = `${type} ${operation} ${isRejected}`;
    let step = this.#steps.get(key);
    if (step === undefined) {
      const labels: StepLabels = { type, operation, rejected: isRejected ? 'true' : 'false' };
      step = { labels, seconds: new Histogram(stepBounds) };
      this.#steps.set(key, step);
    }
    step.seconds.observe((performance.now() - startedAtMs) / 1_000);
  }

  render(text: MetricText): void {
    for (const { labels, seconds } of this.#steps.values()) {
      text.histogram(
        'apiserver_admission_step_admission_duration_seconds',
        'How long the steps of admission took, webhooks and policies among them.',
        seconds,
        { ...labels },
      );
    }
  }
}
