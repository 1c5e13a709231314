import type { FieldError } from '../field-error.ts';
import { equalJson, isJsonObject, type JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';
import { distinct } from './validate.ts';
import { type Origin, type Segment, ValidationWalk } from './validation-walk.ts';
import { mapKeyOf } from './value-facts.ts';

/** What is wrong with a custom resource, by who finds it: Kubernetes asks one after the other (apiextensions customResourceStrategy). */
export interface CustomFaults {
  readonly schema: readonly FieldError[];
  readonly embedded: readonly FieldError[];
  readonly lists: readonly FieldError[];
}

/**
 * Like `validateValue`, for custom resources. In an update, of an `old` object, errors of values that were there before,
 * unchanged, are let pass (KUBERNETES.md R5, KEP-4008). Items of map lists are found again by their keys; other lists must be
 * unchanged as a whole. Lists are told of only if nothing was wrong with the old object's.
 */
export function customFaults(schema: Schema, value: JsonValue, old: JsonValue | undefined): CustomFaults {
  const walk = new ValidationWalk('');
  walk.validate(compiled(schema), value, 0, true);
  const of = (origin: Origin) => walk.found.filter((one) => one.origin === origin);
  const ruled = of('schema').filter(
    ({ owner }) => old === undefined || !isUnchanged(compiled(schema), value, old, owner),
  );
  const lists = of('list');
  const areOld = old !== undefined && lists.length > 0 && hasListFaults(schema, old);
  return {
    schema: distinct(ruled),
    embedded: of('embedded').map(({ error }) => error),
    lists: areOld ? [] : lists.map(({ error }) => error),
  };
}

/** Whether a list of the value has an item twice, or one that it may not have. */
export function hasListFaults(schema: Schema, value: JsonValue): boolean {
  const walk = new ValidationWalk('');
  walk.validate(compiled(schema), value, 0, true);
  return walk.found.some(({ origin }) => origin === 'list');
}

function isUnchanged(
  node: CompiledSchema | undefined,
  value: JsonValue | undefined,
  old: JsonValue | undefined,
  owner: readonly Segment[],
): boolean {
  let [schema, now, before] = [node, value, old];
  for (const segment of owner) {
    schema?.open();
    if (typeof segment === 'number') {
      if (!Array.isArray(now) || !Array.isArray(before)) return false;
      if (schema?.listType !== 'map') return equalJson(now, before);
      const key = mapKeyOf(schema, now[segment] as JsonValue);
      now = now[segment];
      const owningSchema: CompiledSchema = schema;
      before = before.find((item) => mapKeyOf(owningSchema, item) === key);
      schema = schema.items;
    } else {
      if (!isJsonObject(now) || !isJsonObject(before)) return false;
      now = now[segment];
      before = before[segment];
      schema = schema?.properties?.get(segment) ?? schema?.additional;
    }
    if (before === undefined) return false;
  }
  return now !== undefined && before !== undefined && isCorrelatedEqual(schema, now, before);
}

/**
 * Whether two values are equal member by member, each of a schema of its own: what the schema does not describe counts as
 * changed, items of map lists are held against those with their keys (apiserver cel/common CorrelatedObject.CachedDeepEqual).
 */
function isCorrelatedEqual(node: CompiledSchema | undefined, now: JsonValue, before: JsonValue): boolean {
  node?.open();
  if (Array.isArray(now) && Array.isArray(before)) {
    if (node?.listType !== 'map') return equalJson(now, before);
    const old = new Map(before.map((item) => [mapKeyOf(node, item), item]));
    return (
      now.length === before.length &&
      now.every((item) => {
        const known = old.get(mapKeyOf(node, item));
        return known !== undefined && isCorrelatedEqual(node.items, item, known);
      })
    );
  }
  if (!isJsonObject(now) || !isJsonObject(before)) return equalJson(now, before);
  const names = Object.keys(now);
  if (names.length !== Object.keys(before).length) return false;
  return names.every((name) => {
    const child = node?.properties?.get(name) ?? node?.additional;
    const [value, known] = [now[name], before[name]];
    if (child === undefined || value === undefined || known === undefined) return false;
    return isCorrelatedEqual(child, value, known);
  });
}
