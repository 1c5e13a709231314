import { CelSyntaxError } from '#apimachinery/cel/ast.ts';
import { declOf } from '#apimachinery/cel/decl.ts';
import { kubernetesEnvironment, type Variable } from '#apimachinery/cel/environment.ts';
import { type CelProgram, compileCel } from '#apimachinery/cel/program.ts';
import { CelTypeError } from '#apimachinery/cel/type-errors.ts';
import { dynType } from '#apimachinery/cel/types.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';

/**
 * What an expression sees as `cell`: what says which cell it is, and nothing that changes by itself, so that an object does
 * not move because a number was measured anew. All but `location` and `timeZone` are always there.
 */
export interface SelectableCell extends JsonObject {
  name: string;
  labels: { [key: string]: string };
  provider: string;
  region: string;
  zones: string[];
  pop: string;
  dataCenter: string;
  /** Kinds that the edge serves, `<group>/<version>/<kind>`; the core group is empty. */
  apis: string[];
  timeZone?: string;
  location?: { latitude: number; longitude: number };
}

const text = { type: 'string' };
const texts = { type: 'array', items: text };

const cellDecl = declOf(
  schemaFromJsonSchemaProps({
    type: 'object',
    properties: {
      name: text,
      labels: { type: 'object', additionalProperties: text },
      provider: text,
      region: text,
      zones: texts,
      pop: text,
      dataCenter: text,
      apis: texts,
      timeZone: text,
      location: {
        type: 'object',
        properties: { latitude: { type: 'number' }, longitude: { type: 'number' } },
      },
    },
  }),
  false,
);

/** Declares `cell` to expressions. */
export const cellVariable: Variable = { type: cellDecl?.type ?? dynType, decl: cellDecl };

const environment = kubernetesEnvironment(new Map([['cell', cellVariable]]));

/** An expression over `cell` that gives a bool. Throws RangeError with what is wrong. */
export function compileCellSelector(source: string): CelProgram {
  let program: CelProgram;
  try {
    program = compileCel(source, environment);
  } catch (error) {
    if (error instanceof CelSyntaxError || error instanceof CelTypeError) throw new RangeError(error.message);
    throw error;
  }
  if (program.type.kind !== 'bool' && program.type.kind !== 'dyn')
    throw new RangeError('must evaluate to bool');
  return program;
}
