import { ArrayList, CelFault, CelList, equalValues, noOverload, type Value } from '../values.ts';
import { compareValues } from './operators.ts';
import type { CostModel, EstimatedArgument, FunctionTable } from './registry.ts';

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];

/** Of a list that a function makes, whatever is asked for: what one call may cost at most would not pay for more. */
const rangeItemsMax = 1_000_000;

/** What cel-go takes for making a list, beside its elements. */
const listCreationCost = 10;

/** A list is made; `work` tells how many steps that takes of the sizes of its arguments. */
function making(
  work: (sizes: readonly number[]) => number,
  resultMax: (args: readonly EstimatedArgument[]) => number = ([list]) => list?.size.max ?? Infinity,
): CostModel {
  return {
    run: (args) => {
      const sizes = args.map((arg) => (arg instanceof CelList ? arg.size : Number(arg)));
      return 1 + listCreationCost + Math.ceil(work(sizes));
    },
    estimate: (args) => ({
      cost: {
        min: 1 + listCreationCost,
        max: 1 + listCreationCost + Math.ceil(work(args.map(({ size }) => size.max))),
      },
      size: { min: 0, max: resultMax(args) },
    }),
  };
}

const linear = making(([size = 0]) => size);
const quadratic = (factor: number) => making(([size = 0]) => factor * size * size);

/** What is asked for by number is known only when it runs. */
const bySize: CostModel = {
  run: ([count]) => 1 + listCreationCost + Number(count),
  estimate: () => ({ cost: { min: 1, max: Infinity }, size: { min: 0, max: rangeItemsMax } }),
};

function sliceOf(list: CelList, start: bigint, end: bigint): Value {
  const call = `cannot slice(${start}, ${end})`;
  if (start < 0n || end < 0n) return new CelFault(`${call}, negative indexes not supported`);
  if (start > end) {
    return new CelFault(`${call}, start index must be less than or equal to end index`);
  }
  if (end > BigInt(list.size)) return new CelFault(`${call}, list is length ${list.size}`);
  return new ArrayList(list.toArray().slice(Number(start), Number(end)));
}

function flattened(list: CelList, depth: bigint): Value[] {
  return list
    .toArray()
    .flatMap((item) => (item instanceof CelList && depth > 0n ? flattened(item, depth - 1n) : [item]));
}

function distinct(list: CelList): Value {
  const kept: Value[] = [];
  for (const item of list.toArray()) if (!kept.some((one) => equalValues(one, item))) kept.push(item);
  return new ArrayList(kept);
}

/** The list in the order of `keys`, one for each element; equal ones keep theirs. */
function sortedBy(list: CelList, keys: CelList): Value {
  const order = keys.toArray().map((key, index) => ({ key, index }));
  let fits = true;
  order.sort((a, b) => {
    const compared = compareValues(a.key, b.key);
    if (compared === undefined) fits = false;
    return compared ?? 0;
  });
  return fits ? new ArrayList(order.map(({ index }) => list.at(index))) : noOverload;
}

function range(count: bigint): Value {
  if (count > BigInt(rangeItemsMax)) return new CelFault(`lists.range: more than ${rangeItemsMax} elements`);
  return new ArrayList(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
}

/**
 * cel-go's list extension, version 3, which Kubernetes has from 1.34 on (apiserver/pkg/cel/environment/base.go). `sortBy`
 * is a macro, which leads to `@sortByAssociatedKeys`.
 */
export function addListExtension(table: FunctionTable): void {
  const list = (value: Value | undefined): CelList => value as CelList;
  table
    .add(
      ['list(A)->slice(int, int) list(A)'],
      ([items, start, end]) => sliceOf(list(items), start as bigint, end as bigint),
      linear,
    )
    .add(['list(list(A))->flatten() list(A)'], ([items]) => new ArrayList(flattened(list(items), 1n)), linear)
    .add(
      ['list(dyn)->flatten(int) list(dyn)'],
      ([items, depth]) =>
        (depth as bigint) < 0n
          ? new CelFault('level must be non-negative')
          : new ArrayList(flattened(list(items), depth as bigint)),
      linear,
    )
    .add(
      comparable.map((type) => `list(${type})->sort() list(${type})`),
      ([items]) => sortedBy(list(items), list(items)),
      quadratic(2),
    )
    .operator(
      '@sortByAssociatedKeys',
      comparable.map((type) => `list(A), list(${type}), list(A)`),
      ([items, keys]) => sortedBy(list(items), list(keys)),
      quadratic(2),
    )
    .add(['lists.range(int) list(int)'], ([count]) => range(count as bigint), bySize)
    .add(
      ['list(A)->reverse() list(A)'],
      ([items]) => new ArrayList(list(items).toArray().toReversed()),
      linear,
    )
    .add(['list(A)->distinct() list(A)'], ([items]) => distinct(list(items)), quadratic(2));
}
