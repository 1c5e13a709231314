import { equalValues } from '../equality.ts';
import { sizeOf } from '../sizes.ts';
import { CelFault, type CelList, Duration, Uint, type Value } from '../values.ts';
import { listTraversal, plus, scaled, times } from './costs.ts';
import { compareValues, contains, unordered } from './operators.ts';
import { type CostModel, type FunctionTable, fixed } from './registry.ts';

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];
const summable = ['int', 'uint', 'double', 'duration'];

/** Neighbours of which neither comes first, as those of different types, are passed over; so they are by `extreme`. */
function isSorted(list: CelList): Value {
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    const fault = unordered(item);
    if (fault !== undefined) return fault;
    if (i > 0 && (compareValues(list.at(i - 1), item) ?? 0) > 0) return false;
  }
  return true;
}

const zeros: Readonly<Record<string, Value>> = {
  int: 0n,
  uint: new Uint(0n),
  double: 0,
  duration: new Duration(0n),
};

function extreme(list: CelList, name: string, sign: 1 | -1): Value {
  if (list.size === 0) return new CelFault(`${name} called on empty list`);
  let best = list.at(0);
  for (let i = 0; i < list.size; i++) {
    const item = list.at(i);
    const fault = unordered(item);
    if (fault !== undefined) return fault;
    if ((compareValues(item, best) ?? 0) * sign > 0) best = item;
  }
  return best;
}

function indexIn(list: CelList, item: Value): bigint {
  for (let i = 0; i < list.size; i++) if (equalValues(list.at(i), item)) return BigInt(i);
  return -1n;
}

function lastIndexIn(list: CelList, item: Value): bigint {
  for (let i = list.size - 1; i >= 0; i--) if (equalValues(list.at(i), item)) return BigInt(i);
  return -1n;
}

/** Kubernetes' list functions (apiserver/pkg/cel/library/lists.go). `add` is the operator `+`. */
export function addLists(table: FunctionTable, add: (a: Value, b: Value) => Value): void {
  const members = (name: string, types: readonly string[], result: (type: string) => string): string[] =>
    types.map((type) => `list(${type})->${name}() ${result(type)}`);
  table
    .addByElement(
      members('isSorted', comparable, () => 'bool'),
      ([list]) => isSorted(list as CelList),
      listTraversal,
    )
    .addByElement(
      members('min', comparable, (type) => type),
      ([list]) => extreme(list as CelList, 'min', -1),
      listTraversal,
    )
    .addByElement(
      members('max', comparable, (type) => type),
      ([list]) => extreme(list as CelList, 'max', 1),
      listTraversal,
    )
    .add(
      ['list(A)->indexOf(A) int'],
      ([list, item]) => indexIn(list as CelList, item as Value),
      listTraversal,
    )
    .add(
      ['list(A)->lastIndexOf(A) int'],
      ([list, item]) => lastIndexIn(list as CelList, item as Value),
      listTraversal,
    );
  for (const type of summable) {
    table.addByElement(
      [`list(${type})->sum() ${type}`],
      ([list]) => sum(list as CelList, zeros[type] as Value, add),
      listTraversal,
    );
  }
}

/** By the first element's kind, since a list of unknown elements fits all overloads. */
function sum(list: CelList, zero: Value, add: (a: Value, b: Value) => Value): Value {
  if (list.size === 0) return zero;
  let total = list.at(0);
  for (let i = 1; i < list.size; i++) {
    total = add(total, list.at(i));
    if (total instanceof CelFault) return total;
  }
  return total;
}

/** Every element of one compared with every element of the other, so many times. */
const crossing = (passes: number): CostModel => ({
  run: ([a = null, b = null]) => 1 + sizeOf(a) * sizeOf(b) * passes,
  estimate: ([a, b]) => {
    const pairs = times(a?.size ?? fixed(0), b?.size ?? fixed(0));
    return { cost: plus(fixed(1), scaled(pairs, passes)) };
  },
});

function holdsAll(list: CelList, items: CelList): boolean {
  return items.toArray().every((item) => contains(list, item));
}

/** cel-go's sets extension. */
export function addSets(table: FunctionTable): void {
  const both =
    (test: (a: CelList, b: CelList) => boolean) =>
    ([a, b]: readonly Value[]): Value =>
      test(a as CelList, b as CelList);
  table
    .add(['sets.contains(list(A), list(A)) bool'], both(holdsAll), crossing(1))
    .add(
      ['sets.equivalent(list(A), list(A)) bool'],
      both((a, b) => holdsAll(a, b) && holdsAll(b, a)),
      crossing(2),
    )
    .add(
      ['sets.intersects(list(A), list(A)) bool'],
      both((a, b) => b.toArray().some((item) => contains(a, item))),
      crossing(1),
    );
}
