import { kubernetesEnvironment } from '#apimachinery/cel/environment.ts';
import { CelCostError } from '#apimachinery/cel/frame.ts';
import { JsonMap } from '#apimachinery/cel/json-values.ts';
import type { CelProgram } from '#apimachinery/cel/program.ts';
import { boolType } from '#apimachinery/cel/types.ts';
import { CelFault } from '#apimachinery/cel/values.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { expressionOf } from '../admission/policies/expressions.ts';
import { listDecl, mapDecl, objectDecl, textDecl, textsDecl } from '../cel-declarations.ts';

/** Of one condition; Kubernetes allows as much for all of one webhook. */
const costMax = 1_000_000;
export const conditionsMax = 64;

const requirement = objectDecl('kubernetes.SelectorRequirement', {
  key: textDecl,
  operator: textDecl,
  values: textsDecl,
});
const selector = objectDecl('kubernetes.SelectorAttributes', {
  rawSelector: textDecl,
  requirements: listDecl(requirement),
});

/** The variable `request`: a SubjectAccessReviewSpec (KEP-3221). */
const requestDecl = objectDecl('kubernetes.SubjectAccessReviewSpec', {
  resourceAttributes: objectDecl('kubernetes.ResourceAttributes', {
    namespace: textDecl,
    verb: textDecl,
    group: textDecl,
    version: textDecl,
    resource: textDecl,
    subresource: textDecl,
    name: textDecl,
    fieldSelector: selector,
    labelSelector: selector,
  }),
  nonResourceAttributes: objectDecl('kubernetes.NonResourceAttributes', { path: textDecl, verb: textDecl }),
  user: textDecl,
  groups: textsDecl,
  extra: mapDecl(textsDecl),
  uid: textDecl,
});

const environment = kubernetesEnvironment(
  new Map([['request', { type: requestDecl.type, decl: requestDecl }]]),
);

/** Whether all conditions hold; `error` when one could not be told and none is false. */
export interface ConditionsAnswer {
  readonly matches: boolean;
  readonly error?: string | undefined;
}

/** The `matchConditions` of an authorizer webhook. */
export class WebhookConditions {
  readonly #programs: readonly CelProgram[];

  /** Throws Error naming the field of an expression that does not compile to bool. */
  constructor(expressions: readonly string[], field: string) {
    this.#programs = expressions.map((source, i) => {
      const compiled = expressionOf(source, environment, [boolType]);
      if (compiled.program === undefined) {
        throw new Error(`${field}.matchConditions[${i}].expression: ${compiled.error}`);
      }
      return compiled.program;
    });
  }

  get isEmpty(): boolean {
    return this.#programs.length === 0;
  }

  /** `spec`: SubjectAccessReviewSpec with every text field of its attributes present. */
  holdFor(spec: JsonObject): ConditionsAnswer {
    const request = new JsonMap(spec, requestDecl);
    const errors: string[] = [];
    for (const program of this.#programs) {
      try {
        const { value } = program.run(() => request, costMax);
        if (value === false) return { matches: false };
        if (value instanceof CelFault) errors.push(value.message);
      } catch (error) {
        if (!(error instanceof CelCostError)) throw error;
        errors.push(error.message);
      }
    }
    return errors.length === 0 ? { matches: true } : { matches: false, error: errors.join(', ') };
  }
}
