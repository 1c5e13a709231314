import { ApiError, forbidden, type StatusReason } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import type { AdmissionMetrics, ObservedCheck } from '../admission-metrics.ts';
import { concernsTenants } from '../request-view.ts';
import { type DecisionMemo, PendingDecision } from './cel-authorizer.ts';
import { PolicyConfigurationError, paramsFor } from './params.ts';
import { policyInput } from './policy-input.ts';
import { matchedVersion } from './policy-matching.ts';
import { type BoundPolicy, type PolicyBinding, PolicySource } from './policy-source.ts';
import {
  compileValidatingPolicy,
  type Denial,
  type ValidatingPolicy,
  validatePolicy,
} from './validating-policy.ts';

export interface PolicyAdmissionOptions {
  readonly storage: CachedStorage;
  readonly authorizer: Authorizer;
  readonly metrics?: AdmissionMetrics | undefined;
}

/** Waits for an authorizer in one request. */
const decisionsMax = 100;
const reasons: ReadonlySet<string> = new Set([
  'Forbidden',
  'Unauthorized',
  'RequestEntityTooLarge',
  'Invalid',
]);

/** Where the action Audit tells its failures (KUBERNETES.md A3). */
const failureAnnotation = 'validation.policy.admission.k8s.io/validation_failure';

interface Refusal extends Denial {
  readonly policy: string;
  readonly binding: string | undefined;
}

/** ValidatingAdmissionPolicies (A3), after all mutations; the first denial refuses the request, warnings are told. */
export class ValidatingPolicies implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionPolicy';
  readonly #storage: CachedStorage;
  readonly #authorizer: Authorizer;
  readonly #metrics: AdmissionMetrics | undefined;
  readonly #source: PolicySource<ValidatingPolicy>;

  constructor({ storage, authorizer, metrics }: PolicyAdmissionOptions) {
    this.#metrics = metrics;
    this.#storage = storage;
    this.#authorizer = authorizer;
    this.#source = new PolicySource(storage, 'validating', compileValidatingPolicy);
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concernsTenants(attributes) && this.#source.policies(attributes.context.workspace!).length > 0;
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const memo: DecisionMemo = new Map();
    try {
      this.#decide(attributes, memo);
      return undefined;
    } catch (error) {
      if (!(error instanceof PendingDecision)) throw error;
      return this.#decideLater(attributes, memo, error);
    }
  }

  async #decideLater(
    attributes: AdmissionAttributes,
    memo: DecisionMemo,
    first: PendingDecision,
  ): Promise<void> {
    let pending = first;
    for (let waits = 0; waits < decisionsMax; waits++) {
      await pending.answer;
      try {
        this.#decide(attributes, memo);
        return;
      } catch (error) {
        if (!(error instanceof PendingDecision)) throw error;
        pending = error;
      }
    }
    throw new ApiError(
      'InternalError',
      'admission policies ask for more authorization decisions than one request may',
    );
  }

  #decide(attributes: AdmissionAttributes, memo: DecisionMemo): void {
    const { context } = attributes;
    const warnings: string[] = [];
    const refusals: Refusal[] = [];
    const checks: ObservedCheck[] = [];
    const audited: JsonObject[] = [];
    const annotations = new Map<string, Set<string>>();
    for (const bound of this.#source.policies(context.workspace!)) {
      const version = this.#versionFor(bound.policy, attributes);
      if (version === undefined) continue;
      for (const binding of bound.bindings) {
        const { match } = binding;
        if (match !== undefined && matchedVersion(match, attributes, this.#storage, true) === undefined)
          continue;
        const onAnnotation = (key: string, value: string): void => {
          const full = `${bound.name}/${key}`;
          annotations.set(full, (annotations.get(full) ?? new Set()).add(value));
        };
        const startedAtMs = performance.now();
        for (const denial of this.#ask(bound, binding, version, attributes, memo, onAnnotation)) {
          const refusal = { ...denial, policy: bound.name, binding: binding.name };
          const observe = (action: ObservedCheck['action']) =>
            checks.push({
              ...{ policy: bound.name, binding: binding.name, action, startedAtMs },
              errorType: denial.errorType ?? 'no_error',
            });
          if (denial.refuses === true) {
            observe('deny');
            refusals.push(refusal);
            continue;
          }
          if (binding.actions.includes('Warn')) {
            observe('warn');
            warnings.push(
              `Validation failed for ValidatingAdmissionPolicy '${bound.name}' with binding '${binding.name}': ${denial.message}`,
            );
          }
          if (binding.actions.includes('Audit')) {
            observe('audit');
            audited.push({
              message: denial.message,
              policy: bound.name,
              binding: binding.name,
              expressionIndex: denial.index ?? 0,
              validationActions: [...binding.actions],
            });
          }
          if (binding.actions.includes('Deny')) {
            observe('deny');
            refusals.push(refusal);
          }
        }
      }
    }
    // Not before: all of it is done once more when somebody else's decision is waited for.
    for (const check of checks) this.#metrics?.observeCheck(check);
    context.warnings.push(...warnings.filter((text) => !context.warnings.includes(text)));
    if (audited.length > 0) context.annotate?.(failureAnnotation, JSON.stringify(audited));
    for (const [key, values] of annotations) context.annotate?.(key, [...values].join(', '));
    const [refusal] = refusals;
    if (refusal !== undefined) throw refusalError(refusal, attributes);
  }

  #versionFor({ match }: ValidatingPolicy, attributes: AdmissionAttributes): ResourceVersion | undefined {
    return match === undefined ? undefined : matchedVersion(match, attributes, this.#storage, false);
  }

  #ask(
    { policy }: BoundPolicy<ValidatingPolicy>,
    binding: PolicyBinding,
    version: ResourceVersion,
    attributes: AdmissionAttributes,
    memo: DecisionMemo,
    onAnnotation: (key: string, value: string) => void,
  ): Denial[] {
    const { context } = attributes;
    try {
      const params = paramsFor(
        policy.paramKind,
        binding.paramRef,
        context.workspace!,
        context.served.definition.namespaced ? context.namespace : '',
        this.#storage,
      );
      return params.flatMap((param) =>
        validatePolicy(
          policy,
          policyInput(attributes, version, param, {
            storage: this.#storage,
            authorizer: this.#authorizer,
            memo,
          }),
          onAnnotation,
        ),
      );
    } catch (error) {
      if (!(error instanceof PolicyConfigurationError)) throw error;
      const message = `failed to configure binding: ${error.message}`;
      return policy.failsClosed ? [{ message, reason: 'Invalid', refuses: true }] : [];
    }
  }
}

function refusalError(
  { policy, binding, message, reason }: Refusal,
  { context, object }: AdmissionAttributes,
): ApiError {
  const by = binding === undefined ? '' : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`;
  const name = context.name === '' ? (object?.metadata.name ?? '') : context.name;
  const plain = forbidden(context.served.definition, name, text);
  return new ApiError(reasons.has(reason) ? (reason as StatusReason) : 'Invalid', plain.message, {
    details: { ...plain.details, causes: [{ message: text }] },
  });
}
