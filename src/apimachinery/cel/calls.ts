import type { ResolvedCall } from './checked.ts';
import type { Code, Frame } from './frame.ts';
import { unreckonedCall } from './functions/costs.ts';
import { hasOneBinding, noOverloadOf } from './functions/operands.ts';
import { dispatch, type Overload, unit } from './functions/registry.ts';
import { CelFault, type Value } from './values.ts';

/** Those that the types of a call leave, and all that its function has. */
type CallOverloads = Pick<ResolvedCall, 'overloads' | 'known'>;

/**
 * A call of a function. As cel-go plans them (interpreter/planner.go): of one or two arguments all are evaluated, and it costs
 * what it costs whatever they are; of others what stands after a fault is not evaluated, and where something is not, the call
 * costs nothing.
 */
export function callCode(codes: readonly Code[], name: string, call: CallOverloads): Code {
  const { overloads } = call;
  const isPlain = codes.length <= 2 && (overloads.length === 1 || hasOneBinding(name));
  const [first, second] = codes;
  if (!isPlain || first === undefined) return anyCall(codes, name, call);
  return second === undefined ? unaryCall(first, name, call) : binaryCall(first, second, name, call);
}

function unaryCall(argument: Code, name: string, call: CallOverloads): Code {
  return (frame) => run(frame, name, call, [argument(frame)]);
}

function binaryCall(left: Code, right: Code, name: string, call: CallOverloads): Code {
  return (frame) => {
    const a = left(frame);
    return run(frame, name, call, [a, right(frame)]);
  };
}

/** A call whose arguments are evaluated up to the first fault. */
export function anyCall(
  codes: readonly Code[],
  name: string,
  call: CallOverloads,
  unfit = noOverloadOf,
): Code {
  return (frame) => {
    const args: Value[] = [];
    for (const code of codes) {
      const value = code(frame);
      args.push(value);
      if (value instanceof CelFault && args.length < codes.length) return value;
    }
    return run(frame, name, call, args, unfit);
  };
}

/**
 * Static types choose the overloads that may be meant; which one is, the values say (they may be null or unknown, and of another
 * type than the one declared: an optional `oldSelf` holds plain JSON). What has one implementation for all takes what it finds.
 */
export function run(
  frame: Frame,
  name: string,
  { overloads, known }: CallOverloads,
  args: readonly Value[],
  unfit = noOverloadOf,
): Value {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (!(arg instanceof CelFault)) continue;
    frame.spend(costOf(overloads, undefined, args, arg));
    return arg;
  }
  const overload = dispatch(overloads, args) ?? (hasOneBinding(name) ? dispatch(known, args) : undefined);
  const result = overload === undefined ? unfit(name, args) : overload.call(args);
  frame.spend(overload?.cost === unit ? 1 : costOf(overloads, overload, args, result));
  return result;
}

/**
 * Costs are those of an overload in cel-go, and of a function in Kubernetes' library (apiserver/pkg/cel/library/cost.go). Where
 * types leave several overloads cel-go knows of none.
 */
function costOf(
  overloads: readonly Overload[],
  overload: Overload | undefined,
  args: readonly Value[],
  result: Value,
): number {
  const [first] = overloads;
  if (first === undefined) return 1;
  if (overloads.length === 1) return first.cost.run(args, result);
  const { cost } = overload ?? first;
  if (cost.isOfFunction === true) return cost.run(args, result);
  return overload === undefined ? 1 : unreckonedCall(cost).run(args, result);
}
