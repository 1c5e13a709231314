import { kubernetesEnvironment } from '#apimachinery/cel/environment.ts';
import { CelCostError } from '#apimachinery/cel/frame.ts';
import { JsonMap } from '#apimachinery/cel/json-values.ts';
import type { CelProgram } from '#apimachinery/cel/program.ts';
import { boolType, dynType, listOf, mapOf, nullType, stringType } from '#apimachinery/cel/types.ts';
import { CelFault, CelList, type Value } from '#apimachinery/cel/values.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { expressionOf } from '../admission/policies/expressions.ts';
import { mapDecl, objectDecl, textDecl, textsDecl } from '../cel-declarations.ts';
import type { UserInfo } from '../request/user.ts';
import { unauthorized } from './authenticator.ts';

const costMax = 1_000_000;

const userDecl = objectDecl('kubernetes.UserInfo', {
  username: textDecl,
  uid: textDecl,
  groups: textsDecl,
  extra: mapDecl(textsDecl),
});
const claimsEnvironment = kubernetesEnvironment(new Map([['claims', { type: mapOf(stringType, dynType) }]]));
const userEnvironment = kubernetesEnvironment(new Map([['user', { type: userDecl.type, decl: userDecl }]]));

/**
 * CEL over the claims of a token (KEP-3331): variable `claims`, a map of everything that the issuer says. Errors and
 * values of another type refuse the token, never let it pass.
 */
export class ClaimExpression {
  readonly source: string;
  readonly #program: CelProgram;

  /** Throws Error naming the field when it does not compile to one of the types. */
  constructor(source: string, field: string, wanted: 'text' | 'texts' | 'bool') {
    const types = wanted === 'bool' ? [boolType] : wanted === 'text' ? textTypes : textsTypes;
    const compiled = expressionOf(source, claimsEnvironment, types);
    if (compiled.program === undefined) throw new Error(`${field}: ${compiled.error}`);
    this.source = source;
    this.#program = compiled.program;
  }

  text(claims: JsonObject): string {
    const value = this.#value(claims);
    if (typeof value !== 'string') throw unauthorized(`${this.source} gives no text`);
    return value;
  }

  /** A text, a list of texts, or null: none. */
  texts(claims: JsonObject): readonly string[] {
    const value = this.#value(claims);
    if (value === null) return [];
    if (typeof value === 'string') return value === '' ? [] : [value];
    if (!(value instanceof CelList)) throw unauthorized(`${this.source} gives no texts`);
    return value.toArray().map((one) => {
      if (typeof one !== 'string') throw unauthorized(`${this.source} gives no texts`);
      return one;
    });
  }

  holds(claims: JsonObject): boolean {
    return this.#value(claims) === true;
  }

  #value(claims: JsonObject): Value {
    return run(this.#program, new JsonMap(claims, undefined));
  }
}

/** What a claim is shows when there is one: `claims.groups` is of any type until then. */
const textTypes = [stringType, dynType];
const textsTypes = [...textTypes, listOf(stringType), listOf(dynType), nullType];

/** CEL over the user that a token came to: variable `user`. */
export class UserExpression {
  readonly #program: CelProgram;

  /** Throws Error naming the field when it does not compile to bool. */
  constructor(source: string, field: string) {
    const compiled = expressionOf(source, userEnvironment, [boolType]);
    if (compiled.program === undefined) throw new Error(`${field}: ${compiled.error}`);
    this.#program = compiled.program;
  }

  holds({ name, uid = '', groups, extra }: UserInfo): boolean {
    const values: JsonObject = {};
    for (const [key, list] of extra) values[key] = [...list];
    const user = { username: name, uid, groups: [...groups], extra: values };
    return run(this.#program, new JsonMap(user, userDecl)) === true;
  }
}

function run(program: CelProgram, variable: Value): Value {
  try {
    const { value } = program.run(() => variable, costMax);
    if (value instanceof CelFault) throw unauthorized(`${program.source}: ${value.message}`);
    return value;
  } catch (error) {
    if (error instanceof CelCostError) throw unauthorized(`${program.source}: ${error.message}`);
    throw error;
  }
}
