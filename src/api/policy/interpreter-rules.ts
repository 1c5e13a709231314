import { CelSyntaxError } from '#apimachinery/cel/ast.ts';
import { kubernetesEnvironment } from '#apimachinery/cel/environment.ts';
import { type CelProgram, compileCel } from '#apimachinery/cel/program.ts';
import { CelTypeError } from '#apimachinery/cel/type-errors.ts';
import { dynType, intType, listOf, type TypeKind } from '#apimachinery/cel/types.ts';

/** What can be interpreted by a rule, with what the rule may name and must give. */
export const interpreterOperations = {
  /** How many replicas, and what each asks for: an int, or `{"replicas": 3, "requires": {"cpu": "500m"}}`. */
  replicaResource: { variables: { object: dynType }, gives: ['int', 'map'] },
  /** A merge patch (RFC 7386) that gives the object so many replicas. */
  replicaRevision: { variables: { object: dynType, replicas: intType }, gives: ['map'] },
  /** What of a copy's status is gathered. */
  statusReflection: { variables: { object: dynType }, gives: ['map'] },
  /** One status of `items`, each `{"clusterName", "status", "applied", "health"}`. */
  statusAggregation: { variables: { object: dynType, items: listOf(dynType) }, gives: ['map'] },
  /** Whether a copy is well. */
  healthInterpretation: { variables: { object: dynType }, gives: ['bool'] },
  /** What the object needs of its namespace: a list of `{"apiVersion", "kind", "name"}`. */
  dependencyInterpretation: { variables: { object: dynType }, gives: ['list'] },
  /** Which fields stay at an edge as they are there: a list of JSON pointers. */
  retention: { variables: { object: dynType }, gives: ['list'] },
} as const;

export type InterpreterOperation = keyof typeof interpreterOperations;

/** Throws RangeError with what is wrong. */
export function compileInterpreterRule(operation: InterpreterOperation, source: string): CelProgram {
  const { variables, gives } = interpreterOperations[operation];
  const types = Object.entries(variables).map(([name, type]) => [name, { type }] as const);
  let program: CelProgram;
  try {
    program = compileCel(source, kubernetesEnvironment(new Map(types), { mixesLiterals: true }));
  } catch (error) {
    if (error instanceof CelSyntaxError || error instanceof CelTypeError) throw new RangeError(error.message);
    throw error;
  }
  const kinds: readonly TypeKind[] = gives;
  if (program.type.kind !== 'dyn' && !kinds.includes(program.type.kind))
    throw new RangeError(`must evaluate to ${kinds.join(' or ')}`);
  return program;
}
