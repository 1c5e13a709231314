import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import type { AdmissionOperation } from './admission.ts';

/** kube-apiserver's, in seconds (apiserver/pkg/admission/metrics). */
const stepBounds = [0.005, 0.025, 0.1, 0.5, 1, 2.5] as const;

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
    for (const type of ['admit', 'validate'] as const) {
      for (const [operation, seconds] of this.#passed[type])
        renderStep(text, seconds, { type, operation, rejected: 'false' });
      for (const [operation, seconds] of this.#rejected[type])
        renderStep(text, seconds, { type, operation, rejected: 'true' });
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
