import { Histogram } from '#apimachinery/histogram.ts';
import type { AdmissionOperation } from './admission.ts';

/** kube-apiserver's, in seconds (apiserver/pkg/admission/metrics). */
export const stepBounds: readonly number[] = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

export type AdmissionStep = 'admit' | 'validate';

type ByOperation = Map<AdmissionOperation, Histogram>;
type ByStep = { readonly [type in AdmissionStep]: ByOperation };

interface TimeLabels {
  readonly type: AdmissionStep;
  readonly operation: AdmissionOperation;
  readonly rejected: 'true' | 'false';
}

/** How long somebody took for what is written, told apart as Kubernetes does. */
export class OperationTimes {
  /** Found by what they are: a text put together of it costs more than all else that is done here. */
  readonly #passed: ByStep = { admit: new Map(), validate: new Map() };
  readonly #rejected: ByStep = { admit: new Map(), validate: new Map() };

  observe(type: AdmissionStep, operation: AdmissionOperation, isRejected: boolean, durationMs: number): void {
    const byOperation = (isRejected ? this.#rejected : this.#passed)[type];
    let seconds = byOperation.get(operation);
    if (seconds === undefined) {
      seconds = new Histogram(stepBounds);
      byOperation.set(operation, seconds);
    }
    seconds.observe(durationMs / 1_000);
  }

  *[Symbol.iterator](): Generator<readonly [TimeLabels, Histogram]> {
    for (const type of ['admit', 'validate'] as const) {
      for (const [operation, seconds] of this.#passed[type])
        yield [{ operation, rejected: 'false', type }, seconds];
      for (const [operation, seconds] of this.#rejected[type])
        yield [{ operation, rejected: 'true', type }, seconds];
    }
  }
}
