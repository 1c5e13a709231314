import type { JsonObject } from '#apimachinery/json.ts';
import { cloneJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { catalogueMessage } from '../catalogue-messages.ts';
import { completeTypedForm } from '../typed-form.ts';

/** By definition; null where a kind's status may be absent. */
const zeros = new Map<string, JsonObject | null>();

/**
 * A status that Go's types cannot leave out is `{}`, or what its parts are when they are zero: a Kubernetes server prints
 * it of every object, and clients in other languages read into it. In place, on an object that has none. `definition` is
 * `io.k8s.api.apps.v1.Deployment`.
 */
export function completeStatus(definition: string, object: KubeObject): void {
  if (object['status'] !== undefined) return;
  let zero = zeros.get(definition);
  if (zero === undefined) {
    zero = zeroStatus(definition) ?? null;
    zeros.set(definition, zero);
  }
  if (zero !== null) object['status'] = cloneJson(zero);
}

function zeroStatus(definition: string): JsonObject | undefined {
  const type = structAt(definition.slice('io.k8s.'.length), 'status');
  if (type === undefined) return undefined;
  const holder: JsonObject = { status: emptyStruct(type) };
  completeTypedForm(definition, holder);
  return holder['status'] as JsonObject;
}

/** The message at a field that is a struct and no pointer in Go. */
function structAt(path: string, name: string): string | undefined {
  for (const [field, expression, mark] of Object.values(catalogueMessage(path) ?? {})) {
    if (field === name && expression.startsWith('#') && mark !== 2) return expression.slice(1);
  }
  return undefined;
}

const scalarZeros: { readonly [type: string]: '' | 0 | false | undefined } = {
  string: '',
  bool: false,
  int32: 0,
  int64: 0,
  double: 0,
};

/** What Go prints of a struct that is zero, but for its lists, which Go prints as null. */
function emptyStruct(path: string): JsonObject {
  const object: JsonObject = {};
  for (const [name, expression, mark] of Object.values(catalogueMessage(path) ?? {})) {
    if (name === '' || mark !== undefined) continue;
    const zero = scalarZeros[expression];
    const inner = structAt(path, name);
    if (zero !== undefined) object[name] = zero;
    else if (inner?.startsWith('api.')) object[name] = emptyStruct(inner);
  }
  return object;
}
