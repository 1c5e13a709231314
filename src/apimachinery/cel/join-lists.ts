import { canonicalJson } from '../canonical-json.ts';
import { listMapKey } from './equality.ts';
import { JoinedList, JsonList, JsonMap, jsonOrNull, listDeclOf, valueOfJson } from './json-values.ts';
import { typeOf } from './type-of.ts';
import type { Decl } from './types.ts';
import { CelFault, type CelList, type Value } from './values.ts';

/**
 * Lists joined by `+`. In a list of type set or map, what is in both stands once, where it stood in `a`; items of a map
 * list take the content of `b` (Kubernetes, CRD validation rules).
 */
export function joinLists(a: CelList, b: CelList): CelList {
  const decl = listDeclOf(a);
  if (decl === undefined) {
    if (a.size === 0) return b;
    return b.size === 0 ? a : new JoinedList([...a.toArray(), ...b.toArray()]);
  }
  const added = b.toArray();
  if (decl.listType === undefined) return new JoinedList([...a.toArray(), ...retyped(added, decl)], decl);
  const keyOf =
    decl.listType === 'map'
      ? (item: Value) => listMapKey(item, decl)
      : (item: Value) => canonicalJson(jsonOrNull(item));
  const joined = new Map(a.toArray().map((item) => [keyOf(item), item]));
  for (const [index, item] of retyped(added, decl).entries()) {
    const key = item instanceof CelFault ? `${index}. added` : keyOf(item);
    if (decl.listType === 'map' || !joined.has(key)) joined.set(key, item);
  }
  return new JoinedList([...joined.values()], decl);
}

/**
 * What is added to a list of an object becomes JSON in Go's manner and is read by the list's schema again (k8s.io/apiserver
 * pkg/cel/common, unstructuredList.Add): what an expression made other than plain scalars is none.
 */
function retyped(items: readonly Value[], { element }: Decl): Value[] {
  return items.map((item) =>
    element === undefined || item instanceof CelFault ? item : retype(item, element),
  );
}

function retype(item: Value, decl: Decl): Value {
  switch (decl.kind) {
    case 'list':
      if (item instanceof JsonList) return new JsonList(item.json, decl);
      if (item instanceof JoinedList) return item;
      return new CelFault('invalid data, expected an array for the provided schema with type=array');
    case 'object':
    case 'map':
      if (item instanceof JsonMap) return new JsonMap(item.json, decl);
      return new CelFault('invalid data, expected a map for the provided schema with type=object');
    case 'dyn':
      if (typeof item === 'string' || typeof item === 'bigint') return item;
      return new CelFault('invalid data, expected XIntOrString value to be either a string or integer');
    case 'double':
      if (typeof item === 'number' || typeof item === 'bigint') return Number(item);
      return new CelFault(`invalid data, expected float, got ${goTypeOf(item)}`);
    case 'scalar':
      return retypeScalar(item, decl);
  }
}

function retypeScalar(item: Value, decl: Decl): Value {
  const { kind } = decl.type;
  if (kind === 'int' || kind === 'bool')
    return typeOf(item).kind === kind
      ? item
      : new CelFault(`invalid data, expected ${kind}, got ${goTypeOf(item)}`);
  if (typeof item === 'string') return valueOfJson(item, decl);
  return new CelFault(`invalid data, expected string, got ${goTypeOf(item)}`);
}

/** Go's types of what stands for values in cel-go. */
const goTypes: Readonly<Record<string, string>> = {
  ...{ null: 'structpb.NullValue', bool: 'bool', int: 'int64', uint: 'uint64', double: 'float64' },
  ...{ string: 'string', bytes: '[]uint8', timestamp: 'time.Time', duration: 'time.Duration' },
  ...{ list: '[]ref.Val', map: 'map[ref.Val]ref.Val', object: 'map[string]interface {}' },
};

function goTypeOf(value: Value): string {
  if (value instanceof JsonList || value instanceof JoinedList) return '[]interface {}';
  if (value instanceof JsonMap) return 'map[string]interface {}';
  const { kind, name } = typeOf(value);
  return goTypes[kind] ?? name;
}
