import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { WriteAdmission } from '../registry/writes.ts';
import type { ResourceContext } from '../request/context.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin, Creation } from './admission.ts';
import { AdmissionMetrics } from './admission-metrics.ts';
import type { AdmissionStep, OperationTimes } from './operation-times.ts';

/**
 * The plugins in their order (A1): all mutations before schema validation, all validations after it. Each step returns
 * undefined when every plugin was done at once.
 */
export class AdmissionChain {
  readonly #plugins: readonly TimedPlugin[];
  readonly #metrics: AdmissionMetrics;
  /** Found once for each kind: of two dozen plugins most are for a few kinds, and each write would ask all of them thrice. */
  readonly #ofKind = new WeakMap<ResourceDefinition, KindPlugins>();

  constructor(plugins: readonly AdmissionPlugin[], metrics = new AdmissionMetrics()) {
    this.#plugins = plugins.map((plugin) => ({ plugin, times: metrics.controller(plugin.name) }));
    this.#metrics = metrics;
  }

  #for({ context }: AdmissionAttributes): KindPlugins {
    const { definition } = context.served;
    let found = this.#ofKind.get(definition);
    if (found === undefined) {
      found = new KindPlugins(this.#plugins.filter(({ plugin }) => mayHandle(plugin, definition)));
      this.#ofKind.set(definition, found);
    }
    return found;
  }

  /** Whether anybody could change the object. */
  mutates(attributes: AdmissionAttributes): boolean {
    for (const { plugin } of this.#for(attributes).changing) if (plugin.handles(attributes)) return true;
    return false;
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    return this.#step('admit', this.#for(attributes).mutating, attributes);
  }

  /** What is left of `mutate` where nobody changes the object. */
  look(attributes: AdmissionAttributes): Promise<void> | undefined {
    return this.#step('admit', this.#for(attributes).looking, attributes);
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    return this.#step('validate', this.#for(attributes).validating, attributes);
  }

  #step(
    type: AdmissionStep,
    plugins: readonly TimedPlugin[],
    attributes: AdmissionAttributes,
  ): Promise<void> | undefined {
    const startedAtMs = performance.now();
    const done = (isRejected: boolean) =>
      this.#metrics.observeStep(type, attributes.operation, isRejected, startedAtMs);
    try {
      const pending = run(plugins, 0, type, attributes, startedAtMs);
      if (pending !== undefined) return this.#settled(pending, done);
    } catch (error) {
      done(true);
      throw error;
    }
    done(false);
    return undefined;
  }

  async #settled(pending: Promise<void>, done: (isRejected: boolean) => void): Promise<void> {
    let isRejected = true;
    try {
      await pending;
      isRejected = false;
    } finally {
      done(isRejected);
    }
  }

  /** The chain as the registry calls it, for one request. */
  for(context: ResourceContext, dryRun: boolean, deletion?: () => JsonObject): WriteAdmission {
    return new RequestAdmission(this, context, dryRun, deletion);
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

interface TimedPlugin {
  readonly plugin: AdmissionPlugin;
  readonly times: OperationTimes;
}

/** Those that may handle a kind, by what they do. */
class KindPlugins {
  readonly mutating: readonly TimedPlugin[];
  readonly changing: readonly TimedPlugin[];
  readonly looking: readonly TimedPlugin[];
  readonly validating: readonly TimedPlugin[];

  constructor(plugins: readonly TimedPlugin[]) {
    this.mutating = plugins.filter(({ plugin }) => plugin.mutate !== undefined);
    this.changing = this.mutating.filter(({ plugin }) => plugin.looksOnly !== true);
    this.looking = this.mutating.filter(({ plugin }) => plugin.looksOnly === true);
    this.validating = plugins.filter(({ plugin }) => plugin.validate !== undefined);
  }
}

function mayHandle({ kinds }: AdmissionPlugin, { group, resource }: ResourceDefinition): boolean {
  if (kinds === undefined) return true;
  return kinds.some((one) => one.group === group && (one.resource === '*' || one.resource === resource));
}

class RequestAdmission implements WriteAdmission {
  readonly #chain: AdmissionChain;
  readonly #context: ResourceContext;
  readonly #dryRun: boolean;
  readonly #deletion: (() => JsonObject) | undefined;

  constructor(
    chain: AdmissionChain,
    context: ResourceContext,
    dryRun: boolean,
    deletion: (() => JsonObject) | undefined,
  ) {
    this.#deletion = deletion;
    this.#chain = chain;
    this.#context = context;
    this.#dryRun = dryRun;
  }

  mutates(operation: AdmissionOperation, object: KubeObject, old: KubeObject | undefined): boolean {
    return this.#chain.mutates(this.#attributes(operation, object, old));
  }

  mutate(
    operation: AdmissionOperation,
    object: KubeObject,
    old: KubeObject | undefined,
    isNameGenerated = false,
  ): Promise<void> | undefined {
    const creation = operation === 'CREATE' ? { isNameGenerated } : undefined;
    return this.#chain.mutate(this.#attributes(operation, object, old, creation));
  }

  look(
    operation: AdmissionOperation,
    object: KubeObject,
    old: KubeObject | undefined,
  ): Promise<void> | undefined {
    return this.#chain.look(this.#attributes(operation, object, old));
  }

  validate(
    operation: AdmissionOperation,
    object: KubeObject | undefined,
    old: (() => KubeObject) | undefined,
  ): Promise<void> | undefined {
    const attributes = this.#attributes(operation, object, old);
    // Of a deletion there is nothing to mutate: who mutates is asked first all the same, and may refuse it.
    const asked = operation === 'DELETE' ? this.#chain.mutate(attributes) : undefined;
    return asked === undefined
      ? this.#chain.validate(attributes)
      : asked.then(() => this.#chain.validate(attributes));
  }

  #attributes(
    operation: AdmissionOperation,
    object: KubeObject | undefined,
    old: KubeObject | (() => KubeObject) | undefined,
    creation?: Creation,
  ): AdmissionAttributes {
    const more = { dryRun: this.#dryRun, creation, deletion: this.#deletion };
    return new LazyAttributes(this.#context, operation, object, old, more);
  }
}

/** A delete's old object is parsed only when a plugin looks at it. */
class LazyAttributes implements AdmissionAttributes {
  readonly context: ResourceContext;
  readonly operation: AdmissionOperation;
  readonly object: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly creation: Creation | undefined;
  readonly deletion: (() => JsonObject) | undefined;
  #old: KubeObject | (() => KubeObject) | undefined;

  constructor(
    context: ResourceContext,
    operation: AdmissionOperation,
    object: KubeObject | undefined,
    old: KubeObject | (() => KubeObject) | undefined,
    more: Pick<AdmissionAttributes, 'dryRun' | 'creation' | 'deletion'>,
  ) {
    this.context = context;
    this.operation = operation;
    this.object = object;
    this.dryRun = more.dryRun;
    this.creation = more.creation;
    this.deletion = more.deletion;
    this.#old = old;
  }

  get oldObject(): KubeObject | undefined {
    if (typeof this.#old === 'function') this.#old = this.#old();
    return this.#old;
  }
}

/**
 * Runs one after the other from `at` on; only the rest after the first promise is asynchronous. The clock is read once a plugin:
 * where one ends the next begins.
 */
function run(
  plugins: readonly TimedPlugin[],
  at: number,
  type: AdmissionStep,
  attributes: AdmissionAttributes,
  startedAtMs: number,
): Promise<void> | undefined {
  const method = type === 'admit' ? 'mutate' : 'validate';
  let beganAtMs = startedAtMs;
  for (let i = at; i < plugins.length; i++) {
    const { plugin, times } = plugins[i]!;
    if (!plugin.handles(attributes)) continue;
    let pending: Promise<void> | undefined;
    try {
      pending = plugin[method]?.(attributes);
    } catch (error) {
      observe(times, type, attributes, true, beganAtMs);
      throw error;
    }
    if (pending !== undefined) return runRest(plugins, i, type, attributes, pending, beganAtMs);
    beganAtMs = observe(times, type, attributes, false, beganAtMs);
  }
  return undefined;
}

/** `pending`: what the plugin at `at` has begun. */
async function runRest(
  plugins: readonly TimedPlugin[],
  at: number,
  type: AdmissionStep,
  attributes: AdmissionAttributes,
  pending: Promise<void>,
  beganAtMs: number,
): Promise<void> {
  const { times } = plugins[at]!;
  try {
    await pending;
  } catch (error) {
    observe(times, type, attributes, true, beganAtMs);
    throw error;
  }
  await run(plugins, at + 1, type, attributes, observe(times, type, attributes, false, beganAtMs));
}

/** Returns the time that it is now. */
function observe(
  times: OperationTimes,
  type: AdmissionStep,
  { operation }: AdmissionAttributes,
  isRejected: boolean,
  beganAtMs: number,
): number {
  const nowMs = performance.now();
  times.observe(type, operation, isRejected, nowMs - beganAtMs);
  return nowMs;
}
