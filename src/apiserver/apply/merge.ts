import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { type ApplyType, elementPath, formFor, insideElement, memberType } from './apply-type.ts';
import type { PathElement } from './path-element.ts';

/**
 * Merges an applied configuration into the live object by type (KUBERNETES.md P6): maps member by member, sets and
 * keyed lists element by element, all else as a whole. Neither argument is changed; the result shares what did not
 * change with `live` and what came with `config`, and is `live` itself when nothing did.
 */
export function mergeConfig(type: ApplyType, live: JsonObject, config: JsonObject): JsonObject {
  let result: JsonObject | undefined;
  for (const name in config) {
    const applied = config[name];
    if (applied === undefined) continue;
    const standing = Object.hasOwn(live, name) ? live[name] : undefined;
    const merged = mergeValue(memberType(type, name), standing, applied);
    if (merged === standing) continue;
    result ??= { ...live };
    result[name] = merged;
  }
  return result ?? live;
}

function mergeValue(type: ApplyType | undefined, live: JsonValue | undefined, config: JsonValue): JsonValue {
  if (live === undefined || type === undefined) return config;
  const form = config === null ? formFor(type, live) : formFor(type, config);
  if (form === 'map') return mergeMaps(type, live, config);
  if (form === 'list') return mergeLists(type, live, config);
  return equalJson(live, config) ? live : config;
}

/** A null map claims nothing of a map that has members; between empty ones the applied form wins. */
function mergeMaps(type: ApplyType, live: JsonValue, config: JsonValue): JsonValue {
  const liveMap = isJsonObject(live) ? live : undefined;
  if (config === null) return liveMap !== undefined && Object.keys(liveMap).length > 0 ? live : null;
  if (liveMap === undefined) return config;
  return mergeConfig(type, liveMap, config as JsonObject);
}

function mergeLists(type: ApplyType, live: JsonValue, config: JsonValue): JsonValue {
  const liveList = Array.isArray(live) ? live : [];
  const configList = Array.isArray(config) ? config : [];
  if (liveList.length === 0 && configList.length === 0) return equalJson(live, config) ? live : config;
  if (configList.length === 0) return live;
  const merged = mergeElements(type, liveList, configList);
  const same = merged.length === liveList.length && merged.every((item, i) => item === liveList[i]);
  return same ? live : merged;
}

interface Indexed {
  readonly order: PathElement[];
  /** The elements in this order, duplicates among them. */
  readonly list: JsonValue[];
  /** Undefined for elements that stand there more than once: they are not merged but replaced. */
  readonly items: Map<PathElement, JsonValue | undefined>;
}

function index(type: ApplyType, list: readonly JsonValue[]): Indexed {
  const order: PathElement[] = [];
  const elements: JsonValue[] = [];
  const items = new Map<PathElement, JsonValue | undefined>();
  for (const item of list) {
    const at = elementPath(type, item);
    if ('error' in at) continue;
    order.push(at.path);
    elements.push(item);
    items.set(at.path, items.has(at.path) ? undefined : item);
  }
  return { order, list: elements, items };
}

/**
 * The applied elements stand in their applied order; live elements that were not applied keep their place relative to
 * the shared ones before them. Live duplicates of an applied element give way to the one applied.
 *
 * Example: live [a x b y], applied [b a c] → [x b y a c].
 */
function mergeElements(
  type: ApplyType,
  liveList: readonly JsonValue[],
  configList: readonly JsonValue[],
): JsonValue[] {
  const live = index(type, liveList);
  const config = index(type, configList);
  const shared = config.order.filter((path) => live.items.has(path));
  let nextShared = 0;
  const result: JsonValue[] = [];
  let l = 0;
  let c = 0;
  const take = (path: PathElement) => {
    result.push(mergeValue(type.element, live.items.get(path), config.items.get(path) as JsonValue));
  };
  while (l < live.order.length || c < config.order.length) {
    const left = live.order[l];
    const right = config.order[c];
    if (left !== undefined && right !== undefined) {
      if (left === right) {
        take(right);
        l++;
        c++;
        nextShared++;
        continue;
      }
      if (config.items.has(left) && shared[nextShared] !== undefined && shared[nextShared] !== left) {
        l++;
        continue;
      }
    }
    if (left !== undefined && !config.items.has(left)) {
      result.push(live.list[l] as JsonValue);
      l++;
      continue;
    }
    if (right === undefined) {
      l++;
      continue;
    }
    take(right);
    if (shared[nextShared] === right) nextShared++;
    c++;
  }
  return result;
}

/**
 * The value without null fields; free-form parts keep theirs, and so do maps, in which null is the zero value of what they
 * hold. Shares what has none.
 */
export function withoutNulls(type: ApplyType | undefined, value: JsonObject): JsonObject {
  let result: JsonObject | undefined;
  for (const name in value) {
    const child = value[name];
    const childType = type === undefined ? undefined : memberType(type, name);
    if (childType === undefined || childType.form === 'deduced' || child === undefined) continue;
    if (child === null && type?.fields?.has(name) !== true) continue;
    const rest = child === null ? undefined : withoutNullsInside(childType, child);
    if (rest === child) continue;
    result ??= { ...value };
    if (rest === undefined) delete result[name];
    else result[name] = rest;
  }
  return result ?? value;
}

function withoutNullsInside(type: ApplyType, value: JsonValue): JsonValue {
  if (isJsonObject(value)) return withoutNulls(type, value);
  if (!Array.isArray(value)) return value;
  const element = insideElement(type);
  let result: JsonValue[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const item = value[i] as JsonValue;
    if (element === undefined || !isJsonObject(item)) continue;
    const rest = withoutNulls(element, item);
    if (rest === item) continue;
    result ??= value.slice();
    result[i] = rest;
  }
  return result ?? value;
}
