import { ApiError, forbidden } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { rootTypeOf } from '../../apply/apply-type.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import type { AdmissionMetrics, PolicyErrorType } from '../admission-metrics.ts';
import { replaceObject } from '../replace-object.ts';
import { concernsTenants, inVersion, requestedName } from '../request-view.ts';
import { applyChange } from './apply-change.ts';
import { type DecisionMemo, PendingDecision } from './cel-authorizer.ts';
import {
  changeOf,
  compileMutatingPolicy,
  type MutatingPolicy,
  MutationError,
  mutationApplies,
} from './mutating-policy.ts';
import { PolicyConfigurationError, paramsFor } from './params.ts';
import { policyInput } from './policy-input.ts';
import { matchedVersion } from './policy-matching.ts';
import { type BoundPolicy, type PolicyBinding, PolicySource } from './policy-source.ts';
import type { PolicyAdmissionOptions } from './validating-policies.ts';

/** Waits for an authorizer for one mutation. */
const decisionsMax = 100;

/**
 * MutatingAdmissionPolicies (A1, A3, KEP-3962): one after the other in the order of names, each seeing what the last
 * left; those that ask for it once more after anything has been done, by themselves or others.
 */
export class MutatingPolicies implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionPolicy';
  readonly #storage: CachedStorage;
  readonly #authorizer: Authorizer;
  readonly #source: PolicySource<MutatingPolicy>;
  readonly #metrics: AdmissionMetrics | undefined;

  constructor({ storage, authorizer, metrics }: PolicyAdmissionOptions) {
    this.#metrics = metrics;
    this.#storage = storage;
    this.#authorizer = authorizer;
    this.#source = new PolicySource(storage, 'mutating', compileMutatingPolicy);
  }

  handles(attributes: AdmissionAttributes): boolean {
    return (
      attributes.object !== undefined &&
      concernsTenants(attributes) &&
      this.#source.policies(attributes.context.workspace!).length > 0
    );
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const faults: Fault[] = [];
    const invocations = this.#invocations(attributes, faults);
    if (invocations.length > 0) return this.#run(invocations, faults, attributes);
    refuseFor(faults, attributes);
    return undefined;
  }

  /** What is to be done: each policy by each of its bindings, with each of its parameters. */
  #invocations(attributes: AdmissionAttributes, faults: Fault[]): Invocation[] {
    const found: Invocation[] = [];
    for (const bound of this.#source.policies(attributes.context.workspace!)) {
      const { match } = bound.policy;
      const version = match && matchedVersion(match, attributes, this.#storage, false);
      if (version === undefined) continue;
      for (const binding of bound.bindings) {
        const isMatching =
          binding.match === undefined ||
          matchedVersion(binding.match, attributes, this.#storage, true) !== undefined;
        if (!isMatching) continue;
        try {
          const params = this.#params(bound, binding, attributes);
          for (const param of params) found.push({ bound, binding, version, param });
        } catch (error) {
          if (!(error instanceof PolicyConfigurationError)) throw error;
          faults.push({ bound, binding, error });
        }
      }
    }
    return found;
  }

  #params(
    { policy }: BoundPolicy<MutatingPolicy>,
    { paramRef }: PolicyBinding,
    { context }: AdmissionAttributes,
  ): readonly (KubeObject | undefined)[] {
    const namespace = context.served.definition.namespaced ? context.namespace : '';
    return paramsFor(policy.paramKind, paramRef, context.workspace!, namespace, this.#storage);
  }

  async #run(
    invocations: readonly Invocation[],
    faults: Fault[],
    attributes: AdmissionAttributes,
  ): Promise<void> {
    const memo: DecisionMemo = new Map();
    const again = new Set<string>();
    let isMutated = false;
    for (const invocation of invocations) {
      const outcome = await this.#invoke(invocation, attributes, memo, faults, undefined);
      if (outcome.isMutated) isMutated = true;
      if (outcome.isInvoked && invocation.bound.policy.reinvokes) again.add(keyOf(invocation));
    }
    refuseFor(faults, attributes);
    if (!isMutated || again.size === 0) return;
    const late: Fault[] = [];
    for (const invocation of this.#invocations(attributes, late))
      await this.#invoke(invocation, attributes, memo, late, again);
    refuseFor(late, attributes);
  }

  /**
   * Whether its conditions let it, and whether a mutation was done, be it without effect: that is what makes Kubernetes invoke
   * again. A mutation that cannot be done is told of, and the next is tried. `only`: those that are invoked at all.
   */
  async #invoke(
    { bound, binding, version, param }: Invocation,
    attributes: AdmissionAttributes,
    memo: DecisionMemo,
    faults: Fault[],
    only: ReadonlySet<string> | undefined,
  ): Promise<{ readonly isInvoked: boolean; readonly isMutated: boolean }> {
    const { policy } = bound;
    const sources = { storage: this.#storage, authorizer: this.#authorizer, memo };
    const input = () => policyInput(attributes, version, param, sources);
    const tried = async (
      step: () => Promise<boolean>,
      done?: (errorType: PolicyErrorType) => void,
    ): Promise<boolean> => {
      try {
        const isDone = await step();
        done?.('no_error');
        return isDone;
      } catch (error) {
        if (!(error instanceof MutationError)) throw error;
        done?.(error.type);
        faults.push({ bound, binding, error });
        return false;
      }
    };
    const isInvoked =
      (await tried(() => settled(() => mutationApplies(policy, input())))) &&
      only?.has(keyOf({ bound, binding, version, param })) !== false;
    let isMutated = false;
    if (!isInvoked) return { isInvoked, isMutated };
    for (const mutation of policy.mutations) {
      const startedAtMs = performance.now();
      const observe = (errorType: PolicyErrorType) =>
        this.#metrics?.observeMutation({
          ...{ policy: bound.name, binding: binding.name },
          ...{ errorType, startedAtMs },
        });
      const isDone = await tried(async () => {
        const change = await settled(() => changeOf(mutation, policy, input()));
        const live = inVersion(attributes.object as KubeObject, attributes.context, version);
        const after = applyChange(rootTypeOf(version.schema), live, change);
        replaceObject(attributes, version, after as KubeObject);
        return true;
      }, observe);
      if (isDone) isMutated = true;
    }
    return { isInvoked, isMutated };
  }
}

interface Invocation {
  readonly bound: BoundPolicy<MutatingPolicy>;
  readonly binding: PolicyBinding;
  readonly version: ResourceVersion;
  readonly param: KubeObject | undefined;
}

/** What one invocation could not do. */
interface Fault {
  readonly bound: BoundPolicy<MutatingPolicy>;
  readonly binding: PolicyBinding;
  readonly error: MutationError | PolicyConfigurationError;
}

function keyOf({ bound, binding, param }: Invocation): string {
  return JSON.stringify([bound.name, binding.name, param?.metadata.namespace, param?.metadata.name]);
}

/** Evaluates again as long as an authorizer has still to answer. */
async function settled<T>(evaluate: () => T): Promise<T> {
  for (let waits = 0; waits < decisionsMax; waits++) {
    try {
      return evaluate();
    } catch (error) {
      if (!(error instanceof PendingDecision)) throw error;
      await error.answer;
    }
  }
  throw new MutationError('the policy asks for more authorization decisions than one request may');
}

/**
 * 403 for the faults of those policies that do not ignore them: the first is the message, its reason Invalid where an
 * expression or what came of it is at fault (apiserver pkg/admission/plugin/policy/generic/policy_dispatcher.go).
 */
function refuseFor(faults: readonly Fault[], attributes: AdmissionAttributes): void {
  const told = faults.filter(({ bound }) => bound.policy.failsClosed);
  const [first] = told;
  if (first === undefined) return;
  const causes = told.map(({ bound, binding, error }) => ({
    message: `policy '${bound.name}' with binding '${binding.name}' denied request: ${wordsOf(error)}`,
  }));
  const text = causes[0]?.message ?? '';
  const { definition } = attributes.context.served;
  // admission.NewForbidden tells what a name is to be made of, where there is none.
  const name = requestedName(attributes) || attributes.object?.metadata.generateName || '';
  const { details } = forbidden(definition, name, text);
  const isConfiguration = first.error instanceof PolicyConfigurationError;
  throw new ApiError(isConfiguration ? 'Forbidden' : 'Invalid', text, {
    code: 403,
    details: { ...details, causes },
    cause: first.error,
  });
}

function wordsOf(error: Error): string {
  const isConfiguration = error instanceof PolicyConfigurationError;
  return isConfiguration ? `failed to configure binding: ${error.message}` : error.message;
}
