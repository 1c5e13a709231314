import { kubernetesFunctions } from './functions/libraries.ts';
import type { FunctionTable } from './functions/registry.ts';
import type { CelType, Decl } from './types.ts';
import type { CelMap, Value } from './values.ts';

export interface Variable {
  readonly type: CelType;
  /** Sizes, for the estimate of costs. */
  readonly decl?: Decl | undefined;
}

/** A type that expressions can make: `JSONPatch{op: "add"}`. */
export interface StructType {
  readonly type: CelType;
  /** Undefined for a field that it has not. */
  fieldType(name: string): CelType | undefined;
  make(fields: ReadonlyMap<string, Value>): CelMap | Value;
}

/** What an expression may name. */
export interface CelEnvironment {
  readonly functions: FunctionTable;
  readonly variables: ReadonlyMap<string, Variable>;
  /** Undefined: no types can be made. */
  readonly structOf?: ((name: string) => StructType | undefined) | undefined;
  /** The namespace in which names are looked up first; '' outside of the specification's tests. */
  readonly container: string;
  /**
   * Elements of list and map literals must be of one type (Kubernetes) or may be mixed (the specification). Kubernetes
   * also refuses durations, timestamps and patterns in literals that cannot be read.
   */
  readonly mixesLiterals: boolean;
}

/** Kubernetes' environment with these variables. */
export function kubernetesEnvironment(
  variables: ReadonlyMap<string, Variable>,
  more: Partial<CelEnvironment> = {},
): CelEnvironment {
  return { functions: kubernetesFunctions, container: '', mixesLiterals: false, ...more, variables };
}
