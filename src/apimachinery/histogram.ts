/** Counts durations by fixed bounds, as Prometheus does: so many numbers, whatever is observed. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** `bounds`: upper ends in seconds, rising; a last one without end is added. */
  constructor(bounds: readonly number[] = durationBounds) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(seconds: number): void {
    let index = 0;
    while (index < this.#bounds.length && seconds > (this.#bounds[index] as number)) index++;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += seconds;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    let total = 0;
    for (const count of this.#counts) total += count;
    return total;
  }

  /** Upper end → how many were at most that; the last is +Inf. */
  *cumulative(): Generator<readonly [string, number]> {
    let total = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      total += this.#counts[index] as number;
      const bound = this.#bounds[index];
      yield [bound === undefined ? '+Inf' : boundText(bound), total];
    }
  }
}

/** As Go writes numbers (`%g`): the text is a label, by which rules and recorded series find it. */
function boundText(bound: number): string {
  if (bound === 0 || (bound >= 1e-4 && bound < 1e6)) return String(bound);
  const [digits, exponent] = bound.toExponential().split('e') as [string, string];
  return `${digits}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}

/** Upper ends of kube-apiserver's histograms of requests and of calls to its store, in seconds: rules name 1, 5 and 30. */
export const kubernetesDurationBounds: readonly number[] = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

/** The same of durations by objective (`apiserver_request_sli_duration_seconds`), which begin later. */
export const kubernetesObjectiveBounds: readonly number[] = kubernetesDurationBounds.slice(2);

/** From a call over loopback to one that ran into its limit. */
const durationBounds: readonly number[] = [0.005, 0.02, 0.05, 0.1, 0.25, 1, 5, 10];
