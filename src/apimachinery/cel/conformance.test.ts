import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkCel } from './checker.ts';
import type { CelEnvironment, Variable } from './environment.ts';
import { equalValues } from './equality.ts';
import { kubernetesFunctions } from './functions/libraries.ts';
import { FunctionTable } from './functions/registry.ts';
import { parseCel } from './parser.ts';
import { CelProgram } from './program.ts';
import { CelTypeError } from './type-errors.ts';
import { typeOf } from './type-of.ts';
import { parseType } from './type-text.ts';
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  opaqueNamed,
  optionalOf,
  stringType,
  timestampType,
  typeOfType,
  uintType,
} from './types.ts';
import { ArrayList, CelFault, NativeMap, Uint, type Value } from './values.ts';

interface ProtoValue {
  readonly [kind: string]: unknown;
}

interface ProtoType {
  readonly [kind: string]: unknown;
}

interface Declaration {
  readonly name: string;
  readonly ident?: { readonly type: ProtoType };
  readonly function?: {
    readonly overloads: readonly {
      readonly params?: readonly ProtoType[];
      readonly isInstanceFunction?: boolean;
      readonly resultType: ProtoType;
    }[];
  };
}

interface Rest {
  readonly container?: string;
  readonly disableCheck?: boolean;
  readonly checkOnly?: boolean;
  readonly typeEnv?: readonly Declaration[];
  readonly bindings?: Readonly<Record<string, { readonly value: ProtoValue }>>;
  readonly value?: ProtoValue;
  readonly evalError?: unknown;
  readonly typedResult?: { readonly result?: ProtoValue; readonly deducedType?: ProtoType };
}

const file = new URL('./testing/conformance-vectors.json', import.meta.url);
const { tests } = JSON.parse(readFileSync(file, 'utf8')) as {
  tests: readonly (readonly [string, string, Rest])[];
};

/** Of version 2 of the strings extension, which is Kubernetes': later ones format anew. */
const formattedOtherwise = [
  'NaN support for decimal',
  'default precision for scientific notation',
  'dyntype NaN/infinity support',
  'dyntype support for lists',
  'dyntype support for maps',
  'dyntype support for scientific notation',
  'list support for string',
  'map support (all key types)',
  'map support for string',
  'negative infinity support for decimal',
  'negative infinity support for fixed-point',
  'negative infinity support for scientific notation',
  'positive infinity support for decimal',
  'positive infinity support for fixed-point',
  'positive infinity support for scientific notation',
  'scientific notation formatting clause',
  'scientific notation formatting clause in a string variable',
];
/** An index beyond the end finds nothing (cel-go v0.26 ext/strings.go). */
const foundNowhere = ['indexof_out_of_range', 'lastindexof_out_of_range'];

/** Of equal keys the last one holds, `0` and `0u` are two (cel-go skips both: conformance/BUILD.bazel). */
const repeatedKeys = ['map_value_repeat_key', 'map_value_repeat_key_heterogeneous'];

/** What Kubernetes' environment differs in from the tests, on purpose. */
/** Kubernetes does not ask cel-go to fail where something is looked for in what has no fields (EnableErrorOnBadPresenceTest). */
const absentInScalars = ['map_null_entry_no_such_key', 'map_present_key_invalid_field'];

const different: ReadonlySet<string> = new Set([
  ...absentInScalars.map((name) => `optionals/optionals/${name}`),
  ...formattedOtherwise.map((name) => `string_ext/format/${name}`),
  ...repeatedKeys.map((name) => `fields/qualified_identifier_resolution/${name}`),
  ...foundNowhere.map((name) => `string_ext/value_errors/${name}`),
]);

const primitives: Readonly<Record<string, CelType>> = {
  BOOL: boolType,
  INT64: intType,
  UINT64: uintType,
  DOUBLE: doubleType,
  STRING: stringType,
  BYTES: bytesType,
};

function typeOfProto(type: ProtoType): CelType {
  const [kind, body] = Object.entries(type)[0] as [string, never];
  switch (kind) {
    case 'primitive':
      return primitives[body] as CelType;
    case 'dyn':
      return dynType;
    case 'null':
      return nullType;
    case 'wellKnown':
      return body === 'TIMESTAMP' ? timestampType : body === 'DURATION' ? durationType : dynType;
    case 'listType':
      return listOf(typeOfProto((body as { elemType?: ProtoType }).elemType ?? { dyn: {} }));
    case 'mapType': {
      const { keyType, valueType } = body as { keyType?: ProtoType; valueType?: ProtoType };
      return mapOf(typeOfProto(keyType ?? { dyn: {} }), typeOfProto(valueType ?? { dyn: {} }));
    }
    case 'typeParam':
      return new CelType('param', body);
    case 'type':
      return typeOfType(dynType);
    case 'abstractType': {
      const { name, parameterTypes } = body as { name: string; parameterTypes?: readonly ProtoType[] };
      if (name === 'optional_type') return optionalOf(typeOfProto(parameterTypes?.[0] ?? { dyn: {} }));
      const params = (parameterTypes ?? []).map(typeOfProto);
      return params.length === 0 ? opaqueNamed(name) : new CelType('opaque', name, params);
    }
    default:
      throw new Error(`type ${kind}`);
  }
}

const doubles: Readonly<Record<string, number>> = { NaN: Number.NaN, Infinity, '-Infinity': -Infinity };

function valueOfProto(value: ProtoValue): Value {
  const [kind, body] = Object.entries(value)[0] as [string, never];
  switch (kind) {
    case 'nullValue':
      return null;
    case 'boolValue':
    case 'stringValue':
      return body;
    case 'int64Value':
      return BigInt(body);
    case 'uint64Value':
      return new Uint(BigInt(body));
    case 'doubleValue':
      return doubles[body] ?? Number(body);
    case 'bytesValue':
      return new Uint8Array(Buffer.from(body, 'base64'));
    case 'listValue':
      return new ArrayList(((body as { values?: ProtoValue[] }).values ?? []).map(valueOfProto));
    case 'mapValue': {
      const map = new NativeMap();
      for (const { key, value } of (body as { entries?: { key: ProtoValue; value: ProtoValue }[] }).entries ??
        []) {
        map.add(valueOfProto(key), valueOfProto(value));
      }
      return map;
    }
    case 'typeValue':
      return parseTypeName(body);
    default:
      throw new Error(`value ${kind}`);
  }
}

function parseTypeName(name: string): CelType {
  if (name === 'google.protobuf.Timestamp') return timestampType;
  if (name === 'google.protobuf.Duration') return durationType;
  if (name === 'list') return typeOf(new ArrayList([]));
  if (name === 'map') return typeOf(new NativeMap());
  if (name === 'type') return typeOf(intType);
  if (name === 'optional_type') return optionalOf(dynType);
  return parseType(name);
}

function environmentOf(rest: Rest): CelEnvironment {
  const variables = new Map<string, Variable>();
  const own = new FunctionTable();
  for (const declaration of rest.typeEnv ?? []) {
    if (declaration.ident !== undefined) {
      variables.set(declaration.name, { type: typeOfProto(declaration.ident.type) });
    }
    for (const { params, resultType, isInstanceFunction } of declaration.function?.overloads ?? []) {
      const types = [...(params ?? []), resultType].map((type) => typeOfProto(type));
      own.declare(declaration.name, isInstanceFunction === true, types);
    }
  }
  for (const name of Object.keys(rest.bindings ?? {})) {
    if (!variables.has(name)) variables.set(name, { type: dynType });
  }
  return {
    functions: kubernetesFunctions.with(own),
    variables,
    container: rest.container ?? '',
    mixesLiterals: true,
  };
}

function evaluate(expr: string, rest: Rest): { readonly type: CelType; readonly value: Value | undefined } {
  const checked = checkCel(parseCel(expr), expr, environmentOf(rest));
  if (rest.checkOnly === true) return { type: checked.type, value: undefined };
  const program = new CelProgram(expr, checked, false);
  const { value } = program.run((name) => {
    const binding = rest.bindings?.[name];
    return binding === undefined
      ? new CelFault(`undeclared reference to '${name}'`)
      : valueOfProto(binding.value);
  }, 10_000_000);
  return { type: checked.type, value };
}

function same(actual: Value, expected: Value): boolean {
  if (typeof expected === 'number' && Number.isNaN(expected)) return Number.isNaN(actual);
  return (
    equalValues(actual, expected) && (expected === null || typeOf(actual).name === typeOf(expected).name)
  );
}

function verify(name: string, expr: string, rest: Rest): void {
  if (rest.evalError !== undefined) {
    let value: Value | undefined;
    try {
      ({ value } = evaluate(expr, rest));
    } catch (error) {
      // An expression that is refused cannot go wrong later.
      assert.match((error as Error).name, /^Cel/, name);
      return;
    }
    assert.ok(value instanceof CelFault, `${name}: ${expr} gave a value`);
    return;
  }
  let outcome: ReturnType<typeof evaluate>;
  try {
    outcome = evaluate(expr, rest);
  } catch (error) {
    // Types are always checked here: what the tests run unchecked may be refused.
    if (rest.disableCheck === true && error instanceof CelTypeError) return;
    throw error;
  }
  const { type, value } = outcome;
  if (rest.typedResult?.deducedType !== undefined) {
    assert.equal(String(type), String(typeOfProto(rest.typedResult.deducedType)), name);
  }
  if (rest.checkOnly === true) return;
  const expected = rest.value ?? rest.typedResult?.result ?? { boolValue: true };
  assert.ok(
    !(value instanceof CelFault),
    `${name}: ${expr}: ${value instanceof CelFault ? value.message : ''}`,
  );
  assert.ok(same(value as Value, valueOfProto(expected)), `${name}: ${expr} gave ${String(value)}`);
}

const sections = new Map<string, (readonly [string, string, Rest])[]>();
for (const one of tests) {
  const section = one[0].split('/')[0] as string;
  sections.set(section, [...(sections.get(section) ?? []), one]);
}

for (const [section, cases] of sections) {
  test(`R4, CEL specification: ${section}`, () => {
    const failed: string[] = [];
    for (const [name, expr, rest] of cases) {
      try {
        verify(name, expr, rest);
        if (different.has(name)) failed.push(`${name} is as specified by now`);
      } catch (error) {
        if (!different.has(name)) failed.push(`${name}: ${expr}\n    ${(error as Error).message}`);
      }
    }
    assert.equal(failed.length, 0, `${failed.length} of ${cases.length}:\n${failed.join('\n')}`);
  });
}
