import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import type { AdmissionMetrics, AdmissionStep } from './admission-metrics.ts';

/** A plugin that does what tenants have asked for, and takes as long as they make it: how long is told by its name. */
export class TimedPlugin implements AdmissionPlugin {
  readonly name: string;
  readonly mutate?: (attributes: AdmissionAttributes) => Promise<void> | undefined;
  readonly validate?: (attributes: AdmissionAttributes) => Promise<void> | undefined;
  readonly #plugin: AdmissionPlugin;
  readonly #metrics: AdmissionMetrics;

  constructor(plugin: AdmissionPlugin, metrics: AdmissionMetrics) {
    this.name = plugin.name;
    this.#plugin = plugin;
    this.#metrics = metrics;
    const { mutate, validate } = plugin;
    if (mutate !== undefined) this.mutate = (one) => this.#timed('admit', one, mutate.bind(plugin));
    if (validate !== undefined) this.validate = (one) => this.#timed('validate', one, validate.bind(plugin));
  }

  get kinds(): AdmissionPlugin['kinds'] {
    return this.#plugin.kinds;
  }

  get looksOnly(): AdmissionPlugin['looksOnly'] {
    return this.#plugin.looksOnly;
  }

  handles(attributes: AdmissionAttributes): boolean {
    return this.#plugin.handles(attributes);
  }

  #timed(
    type: AdmissionStep,
    attributes: AdmissionAttributes,
    run: (attributes: AdmissionAttributes) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const startedAtMs = performance.now();
    const done = (isRejected: boolean) =>
      this.#metrics.observeController(this.name, type, attributes.operation, isRejected, startedAtMs);
    let pending: Promise<void> | undefined;
    try {
      pending = run(attributes);
    } catch (error) {
      done(true);
      throw error;
    }
    if (pending === undefined) {
      done(false);
      return undefined;
    }
    return pending.then(
      () => done(false),
      (error: unknown) => {
        done(true);
        throw error;
      },
    );
  }
}
