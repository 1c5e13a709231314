import type { KubeObject } from '#apimachinery/object.ts';
import type { WriteAdmission } from '../registry/registry.ts';
import type { ResourceContext } from '../request/context.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from './admission.ts';

/**
 * The plugins in their order (A1): all mutations before schema validation, all validations after it. Each step returns
 * undefined when every plugin was done at once.
 */
export class AdmissionChain {
  readonly #mutating: readonly AdmissionPlugin[];
  readonly #validating: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#mutating = plugins.filter((plugin) => plugin.mutate !== undefined);
    this.#validating = plugins.filter((plugin) => plugin.validate !== undefined);
  }

  mutates(attributes: AdmissionAttributes): boolean {
    return this.#mutating.some((plugin) => plugin.handles(attributes));
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    return run(this.#mutating, 'mutate', attributes);
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    return run(this.#validating, 'validate', attributes);
  }

  /** The chain as the registry calls it, for one request. */
  for(context: ResourceContext, dryRun: boolean): WriteAdmission {
    const attributesOf = (
      operation: AdmissionOperation,
      object: KubeObject | undefined,
      old: (() => KubeObject) | undefined,
    ): AdmissionAttributes => new LazyAttributes(context, operation, object, old, dryRun);
    return {
      mutates: (operation, object, old) =>
        this.#mutating.length > 0 && this.mutates(attributesOf(operation, object, lazily(old))),
      mutate: (operation, object, old) => {
        if (this.#mutating.length === 0) return undefined;
        return this.mutate(attributesOf(operation, object, lazily(old)));
      },
      validate: (operation, object, old) => {
        const attributes = attributesOf(operation, object, old);
        // Of a deletion there is nothing to mutate: who mutates is asked first all the same, and may refuse it.
        const asked = operation === 'DELETE' ? this.mutate(attributes) : undefined;
        return asked === undefined ? this.validate(attributes) : asked.then(() => this.validate(attributes));
      },
    };
  }

  /** CONNECT, for subresources that act rather than store; `object` is the body's. */
  async connect(context: ResourceContext, object: KubeObject | undefined, dryRun: boolean): Promise<void> {
    const attributes: AdmissionAttributes = {
      context,
      operation: 'CREATE',
      object,
      oldObject: undefined,
      dryRun,
    };
    await this.mutate(attributes);
    await this.validate(attributes);
  }
}

function lazily(old: KubeObject | undefined): (() => KubeObject) | undefined {
  return old === undefined ? undefined : () => old;
}

/** A delete's old object is parsed only when a plugin looks at it. */
class LazyAttributes implements AdmissionAttributes {
  readonly context: ResourceContext;
  readonly operation: AdmissionOperation;
  readonly object: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly #old: (() => KubeObject) | undefined;
  #parsed: KubeObject | undefined;

  constructor(
    context: ResourceContext,
    operation: AdmissionOperation,
    object: KubeObject | undefined,
    old: (() => KubeObject) | undefined,
    dryRun: boolean,
  ) {
    this.context = context;
    this.operation = operation;
    this.object = object;
    this.dryRun = dryRun;
    this.#old = old;
  }

  get oldObject(): KubeObject | undefined {
    this.#parsed ??= this.#old?.();
    return this.#parsed;
  }
}

/** Runs one after the other; only the rest after the first promise is asynchronous. */
function run(
  plugins: readonly AdmissionPlugin[],
  step: 'mutate' | 'validate',
  attributes: AdmissionAttributes,
): Promise<void> | undefined {
  for (let i = 0; i < plugins.length; i++) {
    const plugin = plugins[i]!;
    if (!plugin.handles(attributes)) continue;
    const pending = plugin[step]?.(attributes);
    if (pending !== undefined) return runRest(plugins, i + 1, step, attributes, pending);
  }
  return undefined;
}

async function runRest(
  plugins: readonly AdmissionPlugin[],
  from: number,
  step: 'mutate' | 'validate',
  attributes: AdmissionAttributes,
  pending: Promise<void>,
): Promise<void> {
  await pending;
  for (let i = from; i < plugins.length; i++) {
    const plugin = plugins[i]!;
    if (plugin.handles(attributes)) await plugin[step]?.(attributes);
  }
}
