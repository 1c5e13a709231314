import { decodeJsonText, jsonDepthMax } from '#apimachinery/decode-json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { goText } from '../patch/go-text.ts';

/**
 * One step of a field path as FieldsV1 writes it (KUBERNETES.md P4): `f:replicas` a field or map key, `k:{"name":"a"}`
 * an element of a keyed list, `v:"x"` an element of a set, `i:3` an index; `.` stands for the node itself.
 */
export type PathElement = string;

export const self = '.';

export function fieldElement(name: string): PathElement {
  return `f:${name}`;
}

export function valueElement(value: JsonValue): PathElement {
  return `v:${goJson(value)}`;
}

/** `k:{"containerPort":80,"protocol":"TCP"}`: names in order, values as Go's JSON encoder writes them. */
export function keyElement(names: readonly string[], values: readonly JsonValue[]): PathElement {
  let text = 'k:{';
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? '' : ','}${goJson(names[i] as string)}:${goJson(values[i] as JsonValue)}`;
  }
  return `${text}}`;
}

const htmlCharacters = /[<>&\u2028\u2029]/;
const allHtmlCharacters = /[<>&\u2028\u2029]/g;

function goJson(value: JsonValue): string {
  const text = JSON.stringify(value);
  if (typeof value !== 'string' && typeof value !== 'object') return text;
  return escapeHtml(text);
}

/** JSON text with what could end a script element escaped, as Go's encoder writes it. */
export function escapeHtml(text: string): string {
  if (!htmlCharacters.test(text)) return text;
  return text.replace(allHtmlCharacters, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const ranks: { readonly [prefix: string]: number } = { '.': 0, f: 1, k: 2, v: 3, i: 4 };

/** An element with its parsed content, so that sorting many parses each once. */
interface Decorated {
  readonly element: PathElement;
  readonly rank: number;
  readonly content: JsonValue;
}

/**
 * The order in which Kubernetes writes the members of one FieldsV1 node: `.`, fields by name, keyed elements by their
 * key values, set elements by value, indices by number.
 */
export function sortElements(elements: PathElement[]): PathElement[] {
  if (elements.length < 2 || inFieldOrder(elements)) return elements;
  const decorated = elements.map(decorate);
  decorated.sort((a, b) => a.rank - b.rank || compareContent(a.content, b.content));
  return decorated.map((one) => one.element);
}

/** True when all are fields (or the leading `.`) in rising order: the common case, told without parsing. */
function inFieldOrder(elements: readonly PathElement[]): boolean {
  let i = elements[0] === self ? 1 : 0;
  if (i === elements.length) return true;
  if ((elements[i] as string).charCodeAt(0) !== 0x66) return false;
  for (i++; i < elements.length; i++) {
    const element = elements[i] as string;
    if (element.charCodeAt(0) !== 0x66 || (elements[i - 1] as string) > element) return false;
  }
  return true;
}

function decorate(element: PathElement): Decorated {
  const prefix = element.charAt(0);
  const text = element.slice(2);
  const rank = ranks[prefix] ?? 5;
  if (prefix === 'k' || prefix === 'v' || prefix === 'i') {
    return { element, rank, content: parse(text) };
  }
  return { element, rank, content: text };
}

function parse(text: string): JsonValue {
  try {
    // Each level takes a character.
    return text.length <= jsonDepthMax ? (JSON.parse(text) as JsonValue) : decodeJsonText(text);
  } catch {
    return text;
  }
}

/** Values order as structured-merge-diff has it: numbers, then strings, booleans, objects member by member. */
function compareContent(a: JsonValue | undefined, b: JsonValue | undefined): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null) {
    const names = Object.keys(a).sort();
    const others = Object.keys(b).sort();
    for (let i = 0; i < names.length && i < others.length; i++) {
      const name = names[i] as string;
      const byName = compareContent(name, others[i]);
      if (byName !== 0) return byName;
      const byValue = compareContent((a as JsonObject)[name], (b as JsonObject)[name]);
      if (byValue !== 0) return byValue;
    }
    return names.length - others.length;
  }
  return typeRank(a) - typeRank(b) || Number(a) - Number(b);
}

function typeRank(value: JsonValue | undefined): number {
  return ['number', 'string', 'boolean', 'object'].indexOf(typeof value);
}

/** One step as conflict messages and field errors print it: `.replicas`, `[name="a"]`, `[="x"]`, `[3]`. */
export function printElement(element: PathElement): string {
  const text = element.slice(2);
  switch (element.charAt(0)) {
    case 'k': {
      const key = parse(text);
      if (typeof key !== 'object' || key === null) return `[${text}]`;
      const parts = Object.entries(key).map(([name, value]) => `${name}=${printKey(value as JsonValue)}`);
      return `[${parts.join(',')}]`;
    }
    case 'v':
      return `[=${printKey(parse(text))}]`;
    case 'i':
      return `[${text}]`;
    default:
      return `.${text}`;
  }
}

/** An object, which no schema lets a key be, has nothing around or between its members (structured-merge-diff value.ToString). */
function printKey(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(printKey).join(',')}]`;
  if (typeof value === 'number') return goText(value);
  if (!isJsonObject(value)) return JSON.stringify(value);
  return Object.entries(value)
    .map(([name, member]) => `${name}=${printKey(member as JsonValue)}`)
    .join('');
}

/** `.spec.template.spec.containers[name="nginx"].image` */
export function printPath(path: readonly PathElement[]): string {
  return path.map(printElement).join('');
}
