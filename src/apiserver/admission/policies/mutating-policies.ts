import { ApiError, forbidden } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { rootTypeOf } from '../../apply/apply-type.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { replaceObject } from '../replace-object.ts';
import { concernsTenants, inVersion } from '../request-view.ts';
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

  constructor({ storage, authorizer }: PolicyAdmissionOptions) {
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
    const policies = this.#source.policies(attributes.context.workspace!);
    const matching = policies.flatMap((bound) => {
      const { match } = bound.policy;
      const version =
        match === undefined ? undefined : matchedVersion(match, attributes, this.#storage, false);
      return version === undefined ? [] : [{ bound, version }];
    });
    return matching.length === 0 ? undefined : this.#run(matching, attributes);
  }

  async #run(
    matching: readonly { readonly bound: BoundPolicy<MutatingPolicy>; readonly version: ResourceVersion }[],
    attributes: AdmissionAttributes,
  ): Promise<void> {
    const memo: DecisionMemo = new Map();
    let isMutated = false;
    for (const { bound, version } of matching) {
      if (await this.#apply(bound, version, attributes, memo)) isMutated = true;
    }
    if (!isMutated) return;
    for (const { bound, version } of matching) {
      if (bound.policy.reinvokes) await this.#apply(bound, version, attributes, memo);
    }
  }

  /** Whether a mutation was done, be it without effect: that is what makes Kubernetes invoke again. */
  async #apply(
    bound: BoundPolicy<MutatingPolicy>,
    version: ResourceVersion,
    attributes: AdmissionAttributes,
    memo: DecisionMemo,
  ): Promise<boolean> {
    let isMutated = false;
    for (const binding of bound.bindings) {
      const { match } = binding;
      if (match !== undefined && matchedVersion(match, attributes, this.#storage, true) === undefined)
        continue;
      try {
        if (await this.#bind(bound.policy, binding, version, attributes, memo)) isMutated = true;
      } catch (error) {
        const isOwn = error instanceof MutationError || error instanceof PolicyConfigurationError;
        if (!isOwn) throw error;
        if (bound.policy.failsClosed) throw refusal(bound.name, binding.name, error, attributes);
      }
    }
    return isMutated;
  }

  async #bind(
    policy: MutatingPolicy,
    binding: PolicyBinding,
    version: ResourceVersion,
    attributes: AdmissionAttributes,
    memo: DecisionMemo,
  ): Promise<boolean> {
    const { context } = attributes;
    let isMutated = false;
    const namespace = context.served.definition.namespaced ? context.namespace : '';
    const params = paramsFor(
      policy.paramKind,
      binding.paramRef,
      context.workspace!,
      namespace,
      this.#storage,
    );
    for (const param of params) {
      const sources = { storage: this.#storage, authorizer: this.#authorizer, memo };
      const input = () => policyInput(attributes, version, param, sources);
      if (!(await settled(() => mutationApplies(policy, input())))) continue;
      for (const mutation of policy.mutations) {
        const change = await settled(() => changeOf(mutation, policy, input()));
        const live = inVersion(attributes.object as KubeObject, attributes.context, version);
        const after = applyChange(rootTypeOf(version.schema), live, change);
        replaceObject(attributes, version, after as KubeObject);
        isMutated = true;
      }
    }
    return isMutated;
  }
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

/** 403, with the reason Invalid where an expression or what came of it is at fault, as Kubernetes has it. */
function refusal(
  policy: string,
  binding: string,
  error: Error,
  { context, object }: AdmissionAttributes,
): ApiError {
  const text = `policy '${policy}' with binding '${binding}' denied request: ${wordsOf(error)}`;
  const name = context.name === '' ? (object?.metadata.name ?? '') : context.name;
  const { details } = forbidden(context.served.definition, name, text);
  return new ApiError(error instanceof PolicyConfigurationError ? 'Forbidden' : 'Invalid', text, {
    code: 403,
    details: { ...details, causes: [{ message: text }] },
    cause: error,
  });
}

function wordsOf(error: Error): string {
  const isConfiguration = error instanceof PolicyConfigurationError;
  return isConfiguration ? `failed to configure binding: ${error.message}` : error.message;
}
