import { badRequest } from './api-error.ts';
import { isJsonObject, type JsonValue } from './json.ts';

export interface FieldRequirement {
  /** Dotted: `metadata.name`, `status.phase`. */
  readonly path: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Splits at commas that no backslash escapes. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

/** Undoes `\,`, `\=` and `\\`. */
function unescapeValue(text: string): string {
  let value = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '\\') {
      const next = text[at + 1];
      if (next !== '\\' && next !== ',' && next !== '=') {
        throw badRequest(`invalid field selector: invalid escape sequence: \\${next ?? ''}`);
      }
      value += next;
      at++;
    } else if (character === '=' || character === ',') {
      throw badRequest(`invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`);
    } else {
      value += character;
    }
  }
  return value;
}

/**
 * Parses the query parameter `fieldSelector` (KUBERNETES.md L5): `a=b`, `a==b`, `a!=b`, joined by commas, with `\,`,
 * `\=`, `\\` as escapes in values. Throws ApiError BadRequest. Whether a path may be selected is for the resource to say.
 */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text)) {
    if (term === '') continue;
    const at = term.search(/!=|=/);
    if (at < 0) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const operator = term[at] === '!' ? '!=' : '=';
    const length = operator === '!=' || term[at + 1] === '=' ? 2 : 1;
    requirements.push({ path: term.slice(0, at), operator, value: unescapeValue(term.slice(at + length)) });
  }
  return requirements;
}

/** The value of a dotted path as selectors compare it: absent and null as '', booleans and numbers as text, others ''. */
export function fieldValueAt(object: JsonValue | undefined, dottedPath: string): string {
  let value: JsonValue | undefined = object;
  let start = 0;
  while (start <= dottedPath.length) {
    if (!isJsonObject(value)) return '';
    const dot = dottedPath.indexOf('.', start);
    const end = dot < 0 ? dottedPath.length : dot;
    const key = dottedPath.slice(start, end);
    value = Object.hasOwn(value, key) ? value[key] : undefined;
    start = end + 1;
  }
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** Whether all requirements hold, given how to read a field. */
export function matchesFields(
  requirements: readonly FieldRequirement[],
  fieldOf: (path: string) => string,
): boolean {
  for (const { path, operator, value } of requirements) {
    if ((fieldOf(path) === value) !== (operator === '=')) return false;
  }
  return true;
}
