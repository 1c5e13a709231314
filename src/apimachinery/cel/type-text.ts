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
  typeType,
  uintType,
} from './types.ts';

const simple: readonly CelType[] = [
  dynType,
  boolType,
  intType,
  uintType,
  doubleType,
  stringType,
  bytesType,
  nullType,
];
const byName = new Map<string, CelType>(simple.map((type) => [type.name, type]));
byName.set('timestamp', timestampType);
byName.set('duration', durationType);
byName.set('type', typeType);

/** Parses `list(A)`, `map(string, dyn)`, `net.IP`: one capital letter is a type parameter. */
export function parseType(text: string): CelType {
  const open = text.indexOf('(');
  if (open < 0) {
    if (/^[A-Z]$/.test(text)) return new CelType('param', text);
    return byName.get(text) ?? opaqueNamed(text);
  }
  const name = text.slice(0, open);
  const params = splitTypes(text.slice(open + 1, -1)).map(parseType);
  const [first, second] = params as [CelType, CelType];
  if (name === 'list') return listOf(first);
  if (name === 'map') return mapOf(first, second);
  if (name === 'optional') return optionalOf(first);
  if (name === 'type') return typeOfType(first);
  throw new TypeError(`no type ${text}`);
}

/** `a, map(b, c)` → `a`, `map(b, c)`. */
export function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (char === '(') depth++;
    else if (char === ')') depth--;
    if ((char === ',' && depth === 0) || i === text.length) {
      const part = text.slice(from, i).trim();
      if (part !== '') parts.push(part);
      from = i + 1;
    }
  }
  return parts;
}
