import { leadsThroughList, parseFieldPointer, retainedFieldsMax } from '#api/federation/retained-fields.ts';
import {
  compileInterpreterRule,
  type InterpreterOperation,
  interpreterOperations,
} from '#api/policy/interpreter-rules.ts';
import type { ResourceInterpreterCustomization } from '#api/policy/resource-interpreter-customization.ts';
import type { AggregatedStatusItem, NodeClaim } from '#api/work/resource-binding.ts';
import { CelCostError } from '#apimachinery/cel/frame.ts';
import { jsonOfValue, valueOfJson } from '#apimachinery/cel/json-values.ts';
import type { CelProgram } from '#apimachinery/cel/program.ts';
import { CelFault, type Value } from '#apimachinery/cel/values.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { parseQuantity, quantityNumber } from '#apimachinery/quantity.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import { demandOfClaim, type NodeDemand } from '../algorithm/node-demand.ts';
import { type Dependency, dependencyResourceOfKind } from '../dependencies/dependency-table.ts';
import { isReservedKey } from '../projection/strip.ts';

/** Steps that one rule may take, as in Kubernetes' own limit for a call. */
const costMax = 10_000_000;

/** What a rule says of an object's replicas. */
interface ToldReplicas {
  readonly replicas: number;
  /** Undefined: it does not say. */
  readonly request: ReplicaRequest | undefined;
  readonly nodes: NodeDemand | undefined;
}

/** A rule failed. */
class InterpretationError extends Error {
  override readonly name = 'InterpretationError';
}

/**
 * The rules of one ResourceInterpreterCustomization, compiled. Methods give undefined where there is no rule, and where it fails:
 * then `failure` says why, and the object is understood as without the rule.
 */
export class Interpretation {
  readonly #name: string;
  readonly #programs = new Map<InterpreterOperation, CelProgram>();
  readonly #failures = new Map<InterpreterOperation, string>();

  constructor({ metadata, spec }: ResourceInterpreterCustomization) {
    this.#name = metadata.name ?? '';
    for (const operation of Object.keys(interpreterOperations) as InterpreterOperation[]) {
      const source = spec.customizations[operation]?.cel;
      if (source !== undefined) this.#programs.set(operation, compileInterpreterRule(operation, source));
    }
  }

  /** What went wrong when a rule was last asked; undefined: nothing. */
  get failure(): string | undefined {
    return this.#failures.values().next().value;
  }

  has(operation: InterpreterOperation): boolean {
    return this.#programs.has(operation);
  }

  replicas(object: KubeObject): ToldReplicas | undefined {
    return this.#ask('replicaResource', { object }, (result) => {
      const { replicas = result, requires, nodeClaim, ...more } = isJsonObject(result) ? result : {};
      const [unknown] = Object.keys(more);
      if (unknown !== undefined)
        throw this.#error('replicaResource', `gives ${unknown}, which nothing reads`);
      if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
        throw this.#error('replicaResource', 'gives no count of replicas');
      const nodes = nodeClaim === undefined ? undefined : demandOfClaim(this.#claim(nodeClaim));
      if (requires === undefined) return { replicas, request: undefined, nodes };
      if (!isJsonObject(requires)) throw this.#error('replicaResource', 'requires no map of quantities');
      const request = Object.entries(requires).map(([name, text]) => [name, this.#amount(text)] as const);
      return { replicas, request, nodes };
    });
  }

  #claim(told: JsonValue): NodeClaim {
    const { hardNodeAffinity, nodeSelector, tolerations, ...more } = isJsonObject(told) ? told : {};
    const isClaim =
      isJsonObject(told) &&
      Object.keys(more).length === 0 &&
      (hardNodeAffinity === undefined || isJsonObject(hardNodeAffinity)) &&
      (nodeSelector === undefined ||
        (isJsonObject(nodeSelector) &&
          Object.values(nodeSelector).every((value) => typeof value === 'string'))) &&
      (tolerations === undefined || (Array.isArray(tolerations) && tolerations.every(isJsonObject)));
    if (!isClaim)
      throw this.#error(
        'replicaResource',
        'gives a nodeClaim that is not made of nodeSelector, hardNodeAffinity and tolerations',
      );
    return told as NodeClaim;
  }

  /** The object with so many replicas; the one given is left as it is. */
  revise(object: KubeObject, replicas: number): KubeObject | undefined {
    return this.#ask(
      'replicaRevision',
      { object, replicas },
      (patch) => mergePatch(object, this.#object('replicaRevision', patch)) as KubeObject,
    );
  }

  reflect(object: JsonObject): JsonObject | undefined {
    return this.#ask('statusReflection', { object }, (status) => this.#object('statusReflection', status));
  }

  aggregate(object: JsonObject, items: readonly AggregatedStatusItem[]): JsonObject | undefined {
    return this.#ask('statusAggregation', { object, items: [...items] }, (status) =>
      this.#object('statusAggregation', status),
    );
  }

  isHealthy(object: JsonObject): boolean | undefined {
    return this.#ask('healthInterpretation', { object }, (healthy) => {
      if (typeof healthy === 'boolean') return healthy;
      throw this.#error('healthInterpretation', 'gives no bool');
    });
  }

  dependencies(object: KubeObject): Dependency[] | undefined {
    return this.#ask('dependencyInterpretation', { object }, (list) => this.#dependenciesOf(list));
  }

  /** JSON pointers to the fields that an edge keeps. */
  retained(object: KubeObject): string[] | undefined {
    return this.#ask('retention', { object }, (list) => {
      if (!Array.isArray(list)) throw this.#error('retention', 'gives no list');
      if (list.length > retainedFieldsMax)
        throw this.#error('retention', `gives more than ${retainedFieldsMax} fields`);
      return list.map((pointer) => {
        if (typeof pointer !== 'string') throw this.#error('retention', 'gives what is no text');
        const why = whyNotRetained(object, pointer);
        if (why !== undefined) throw this.#error('retention', `gives ${pointer}, ${why}`);
        return pointer;
      });
    });
  }

  #dependenciesOf(list: JsonValue): Dependency[] {
    if (!Array.isArray(list)) throw this.#error('dependencyInterpretation', 'gives no list');
    return list.map((item): Dependency => {
      const { kind, name, apiVersion = 'v1' } = isJsonObject(item) ? item : {};
      const resource = apiVersion === 'v1' ? dependencyResourceOfKind(String(kind)) : undefined;
      if (resource === undefined || typeof name !== 'string')
        throw this.#error(
          'dependencyInterpretation',
          `${String(apiVersion)} ${String(kind)} cannot follow others`,
        );
      return { resource, name };
    });
  }

  #ask<T>(
    operation: InterpreterOperation,
    variables: JsonObject,
    read: (result: JsonValue) => T,
  ): T | undefined {
    const program = this.#programs.get(operation);
    if (program === undefined) return undefined;
    try {
      const answer = read(this.#run(operation, program, variables));
      this.#failures.delete(operation);
      return answer;
    } catch (error) {
      if (!(error instanceof InterpretationError)) throw error;
      this.#failures.set(operation, error.message);
      return undefined;
    }
  }

  #run(operation: InterpreterOperation, program: CelProgram, variables: JsonObject): JsonValue {
    const values = (name: string): Value => valueOfJson(variables[name] ?? null, undefined);
    let result: JsonValue | undefined;
    try {
      const { value } = program.run(values, costMax);
      if (value instanceof CelFault) throw this.#error(operation, value.message);
      result = jsonOfValue(value);
    } catch (error) {
      if (error instanceof CelCostError) throw this.#error(operation, error.message);
      throw error;
    }
    if (result === undefined) throw this.#error(operation, 'gives what JSON cannot say');
    return result;
  }

  #object(operation: InterpreterOperation, value: JsonValue): JsonObject {
    if (isJsonObject(value)) return value;
    throw this.#error(operation, 'gives no map');
  }

  #amount(text: JsonValue | undefined): number {
    if (typeof text !== 'string' && typeof text !== 'number')
      throw this.#error('replicaResource', 'requires no quantities');
    try {
      return quantityNumber(parseQuantity(text));
    } catch {
      throw this.#error('replicaResource', `requires ${JSON.stringify(text)}, which is no quantity`);
    }
  }

  #error(operation: InterpreterOperation, what: string): InterpretationError {
    return new InterpretationError(`ResourceInterpreterCustomization ${this.#name}: ${operation} ${what}`);
  }
}

function whyNotRetained(object: KubeObject, pointer: string): string | undefined {
  const path = parseFieldPointer(pointer);
  if (path === undefined) return 'which is no JSON pointer to a field, like /spec/paused';
  const [root = '', map = '', key] = path;
  const isMetadata = root === 'metadata';
  const isContent = isMetadata
    ? (map === 'labels' || map === 'annotations') && key !== undefined && !isReservedKey(key)
    : root !== 'apiVersion' && root !== 'kind' && root !== 'status';
  if (!isContent) return 'which no copy takes to its edge, or each must';
  if (leadsThroughList(object, path)) return 'which is inside of a list: only the whole list can be kept';
  return undefined;
}

/** RFC 7386; the target is left as it is. */
function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined) merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}
