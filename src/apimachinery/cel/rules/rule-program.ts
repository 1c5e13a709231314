import type { CelRule, Schema } from '../../schema.ts';
import { declOf } from '../decl.ts';
import { type CelEnvironment, kubernetesEnvironment } from '../environment.ts';
import { estimateCost } from '../estimate.ts';
import { type CelProgram, checkedCel, compileFault, programOf } from '../program.ts';
import { type Decl, optionalOf } from '../types.ts';

/** A rule of x-kubernetes-validations, compiled; `error` where it does not compile, in Kubernetes' words. */
export interface RuleProgram {
  readonly rule: CelRule;
  readonly program: CelProgram | undefined;
  readonly error: string | undefined;
  /** A transition rule: it runs only where there is an old value, unless that is optional. */
  readonly usesOldSelf: boolean;
  readonly message: CelProgram | undefined;
  readonly messageError: string | undefined;
  /** Names of `fieldPath`, joined to the path of an error. */
  readonly fieldPath: string;
  /** The most that it can cost, once. */
  readonly costMax: number;
  readonly messageCostMax: number;
}

const compiledRules = new WeakMap<Schema, readonly RuleProgram[]>();
const compiledRootRules = new WeakMap<Schema, readonly RuleProgram[]>();

/**
 * The rules of one schema node, compiled once for each Schema (which is one object over all workspaces with equal
 * content) when they are first asked for. `isResource` as for declOf.
 */
export function rulesOf(schema: Schema, isResource: boolean): readonly RuleProgram[] {
  const cache = isResource ? compiledRootRules : compiledRules;
  let rules = cache.get(schema);
  if (rules === undefined) {
    const decl = declOf(schema, isResource);
    rules = (schema.celRules ?? []).map((rule) => compileRule(rule, schema, decl));
    cache.set(schema, rules);
  }
  return rules;
}

function compileRule(rule: CelRule, schema: Schema, decl: Decl | undefined): RuleProgram {
  const blank = {
    rule,
    program: undefined,
    error: undefined,
    usesOldSelf: false,
    message: undefined,
    messageError: undefined,
    fieldPath: '',
    costMax: 0,
    messageCostMax: 0,
  };
  if (rule.rule.trim() === '') return blank;
  if (decl === undefined) {
    return { ...blank, error: 'rule declared on schema that does not support validation rules' };
  }
  const environment = environmentOf(decl, rule.optionalOldSelf === true);
  const { program, error } = compileOf(
    rule.rule,
    environment,
    'bool',
    'cel expression must evaluate to a bool',
  );
  if (program === undefined) return { ...blank, error };
  const expression = rule.messageExpression ?? '';
  const message =
    expression === ''
      ? { program: undefined, error: undefined }
      : expression.trim() === ''
        ? { program: undefined, error: 'messageExpression must be non-empty if specified' }
        : compileOf(expression, environment, 'string', 'messageExpression must evaluate to a string');
  return {
    rule,
    program,
    error: undefined,
    usesOldSelf: program.uses('oldSelf'),
    message: message.program,
    messageError: message.error?.replace(
      /^(?:program (?=instantiation)|(?=compilation failed))/,
      'messageExpression ',
    ),
    fieldPath: fieldPathText(rule.fieldPath ?? '', schema),
    costMax: estimateCost(program.checked, environment).max,
    messageCostMax:
      message.program === undefined ? 0 : estimateCost(message.program.checked, environment).max,
  };
}

const environments = new WeakMap<Decl, { plain: CelEnvironment; optional: CelEnvironment }>();

function environmentOf(decl: Decl, hasOptionalOldSelf: boolean): CelEnvironment {
  let pair = environments.get(decl);
  if (pair === undefined) {
    const self = { type: decl.type, decl };
    pair = {
      plain: kubernetesEnvironment(
        new Map([
          ['self', self],
          ['oldSelf', self],
        ]),
      ),
      optional: kubernetesEnvironment(
        new Map([
          ['self', self],
          ['oldSelf', { type: optionalOf(decl.type), decl }],
        ]),
      ),
    };
    environments.set(decl, pair);
  }
  return hasOptionalOldSelf ? pair.optional : pair.plain;
}

function compileOf(
  source: string,
  environment: CelEnvironment,
  wanted: 'bool' | 'string',
  otherwise: string,
): { readonly program: CelProgram | undefined; readonly error: string | undefined } {
  try {
    const checked = checkedCel(source, environment);
    if (checked.type.kind !== wanted) return { program: undefined, error: otherwise };
    return { program: programOf(source, checked, environment), error: undefined };
  } catch (error) {
    return { program: undefined, error: compileFault(error) };
  }
}

/** Below what the rule is about: `.spec['a-b'].c` → `spec.a-b.c`, keys of maps in brackets (`labels[a]`). */
export function fieldPathText(path: string, schema: Schema): string {
  let text = '';
  let at: Schema | undefined = schema;
  for (const name of fieldPathNames(path) ?? []) {
    const property: Schema | undefined = at?.properties?.get(name);
    const isKey = property === undefined && at?.additionalProperties !== undefined;
    text += isKey ? `[${name}]` : text === '' ? name : `.${name}`;
    at = property ?? at?.additionalProperties;
  }
  return text;
}

/** The names of a rule's fieldPath; undefined when it is malformed. */
function fieldPathNames(path: string): string[] | undefined {
  const names: string[] = [];
  const part = /\.([^.[\]']+)|\['((?:[^'\\]|\\.)*)'\]/y;
  for (let at = 0; at < path.length; at = part.lastIndex) {
    part.lastIndex = at;
    const found = part.exec(path);
    if (found === null) return undefined;
    names.push(found[1] ?? (found[2] as string).replace(/\\(.)/g, '$1'));
  }
  return names;
}
