import { declOf, requestBytesMax } from '#apimachinery/cel/decl.ts';
import { hasRules } from '#apimachinery/cel/rules/has-rules.ts';
import { type RuleProgram, rulesOf } from '#apimachinery/cel/rules/rule-program.ts';
import { type FieldError, forbiddenField, invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { CelRule, Schema } from '#apimachinery/schema.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';

/** Estimated cost of one rule, wherever it applies, and of all rules of a schema (apiextensions validation.go). */
const ruleCostMax = 10_000_000;
const schemaCostMax = 100_000_000;
const errorsMax = 50;
const advice =
  '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)';

/** Where a node stands, as costs and transitions see it. */
interface Place {
  readonly path: string;
  readonly isResource: boolean;
  /** How often the node can occur in one object; undefined where nothing bounds it. */
  readonly cardinality: number | undefined;
  /** The list or map above whose members cannot be found again in an older object. */
  readonly uncorrelatable: string | undefined;
}

/**
 * The CEL rules of a CRD's structural schema: they must compile and cost little enough by estimate (KUBERNETES.md R4). With
 * Kubernetes' messages; at most 50 errors. Rules of a node are not looked at while one of `refusedFields` lies within it.
 */
export function validateSchemaRules(
  props: JsonObject,
  path: string,
  refusedFields: readonly string[],
): FieldError[] {
  const schema = schemaFromJsonSchemaProps(props);
  if (!hasRules(schema)) return [];
  const check = new RuleCheck(refusedFields);
  check.visit(schema, { path, isResource: true, cardinality: 1, uncorrelatable: undefined });
  check.total(path);
  return check.errors.slice(0, errorsMax);
}

class RuleCheck {
  readonly errors: FieldError[] = [];
  readonly #refusedFields: readonly string[];
  #total = 0;
  readonly #costly: { readonly path: string; readonly cost: number }[] = [];

  constructor(refusedFields: readonly string[]) {
    this.#refusedFields = refusedFields;
  }

  visit(schema: Schema, place: Place): void {
    if (this.errors.length >= errorsMax || !hasRules(schema)) return;
    const { path } = place;
    const { additionalProperties, items } = schema;
    if (additionalProperties !== undefined) {
      this.visit(additionalProperties, {
        path: `${path}.additionalProperties`,
        isResource: additionalProperties.embeddedResource === true,
        cardinality: times(place.cardinality, schema.validation?.maxProperties),
        uncorrelatable: place.uncorrelatable,
      });
    }
    for (const [name, child] of schema.properties ?? []) {
      this.visit(child, {
        ...place,
        path: `${path}.properties[${name}]`,
        isResource: child.embeddedResource === true,
      });
    }
    if (items !== undefined) {
      this.visit(items, {
        path: `${path}.items`,
        isResource: items.embeddedResource === true,
        cardinality: times(place.cardinality, schema.validation?.maxItems),
        uncorrelatable: schema.listType === 'map' ? place.uncorrelatable : (place.uncorrelatable ?? path),
      });
    }
    if (this.#refusedFields.some((field) => field.startsWith(`${path}.`))) return;
    rulesOf(schema, place.isResource).forEach((rule, index) => {
      this.#rule(schema, rule, place, `${path}.x-kubernetes-validations[${index}]`);
    });
  }

  #rule(schema: Schema, program: RuleProgram, place: Place, at: string): void {
    const { rule } = program;
    const shown = goRule(rule);
    if (program.error !== undefined) {
      this.errors.push(invalid(`${at}.rule`, shown, program.error));
      return;
    }
    if (program.usesOldSelf && place.uncorrelatable !== undefined) {
      this.errors.push(
        invalid(
          `${at}.rule`,
          rule.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`,
        ),
      );
    }
    if (rule.optionalOldSelf !== undefined && !program.usesOldSelf) {
      this.errors.push(
        invalid(
          `${at}.optionalOldSelf`,
          rule.optionalOldSelf,
          'may not be set if oldSelf is not used in rule',
        ),
      );
    }
    if (program.messageError !== undefined) {
      this.errors.push(invalid(`${at}.messageExpression`, shown, program.messageError));
    }
    const occurrences = place.cardinality ?? occurrencesMax(schema, place.isResource);
    this.#cost('rule', program.costMax * occurrences, `${at}.rule`);
    if (program.message !== undefined) {
      this.#cost('messageExpression', program.messageCostMax, `${at}.messageExpression`);
    }
  }

  #cost(name: 'rule' | 'messageExpression', cost: number, at: string): void {
    this.#total += cost;
    this.#costly.push({ path: at, cost });
    if (cost <= ruleCostMax) return;
    this.errors.push(
      forbiddenField(
        at,
        `estimated ${name} cost exceeds budget by factor of ${factor(cost, ruleCostMax)} ${advice}`,
      ),
    );
  }

  total(path: string): void {
    if (this.#total <= schemaCostMax) return;
    const largest = this.#costly.sort((a, b) => b.cost - a.cost).slice(0, 4);
    for (const { path: at, cost } of largest) {
      if (cost < schemaCostMax / 100) continue;
      this.errors.push(
        forbiddenField(
          at,
          'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema',
        ),
      );
    }
    this.errors.push(
      forbiddenField(
        path,
        `x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of ${factor(this.#total, schemaCostMax)} ${advice}`,
      ),
    );
  }
}

/** A rule as Go prints its internal type. */
function goRule(rule: CelRule): JsonObject {
  return {
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
}

function times(cardinality: number | undefined, max: number | undefined): number | undefined {
  return cardinality === undefined || max === undefined ? undefined : cardinality * Math.max(0, max);
}

/** How many values of a schema fit into the largest request. */
function occurrencesMax(schema: Schema, isResource: boolean): number {
  const minBytes = declOf(schema, isResource)?.minBytes ?? 1;
  return Math.floor(requestBytesMax / (minBytes + 1));
}

function factor(cost: number, max: number): string {
  const times = cost / max;
  if (times > 100) return 'more than 100x';
  return `${times.toFixed(times < 1.5 ? 6 : 1)}x`;
}
