import { isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { ApiError, badRequest } from './api-error.ts';
import { type DecodedJson, decodeJson, jsonDepthMax, refuseDangerousKeys } from './decode-json.ts';
import type { JsonValue } from './json.ts';

/** Aliases that one document may follow, counting those inside what aliases point to. */
export const yamlAliasesMax = 100;
/** Values that a document may come to when aliases are followed. */
export const yamlValuesMax = 1_000_000;

const loneSurrogate = /\p{Surrogate}/u;

let loaded: typeof Yaml | undefined;

/** The parser is loaded with the first YAML body: most servers only ever see JSON. */
function yaml(): typeof Yaml {
  loaded ??= createRequire(import.meta.url)('yaml') as typeof Yaml;
  return loaded;
}

/**
 * Tags of YAML 1.1 as Kubernetes' parser (sigs.k8s.io/yaml) knows them: timestamps and sexagesimal numbers stay text,
 * and there are no sets, ordered maps or binaries.
 */
function keepTag(tag: Yaml.Tags[number]): boolean {
  if (typeof tag === 'string') return true;
  if ('format' in tag && tag.format === 'TIME') return false;
  return !/:(?:timestamp|binary|omap|pairs|set)$/.test(tag.tag);
}

/**
 * Decodes one YAML 1.1 document: `no` is false, `0777` is 511, keys become text. Throws ApiError BadRequest when it is
 * malformed, more than one document, no JSON value (`.nan`), or larger than the limits once aliases are followed.
 */
export function decodeYaml(bytes: Buffer): DecodedJson {
  const asJson = tryJson(bytes);
  if (asJson !== undefined) return asJson;
  if (!isUtf8(bytes)) throw yamlError('the body is not valid UTF-8');
  const { parseDocument } = yaml();
  try {
    const document = parseDocument(bytes.toString('utf8'), {
      version: '1.1',
      customTags: (tags) => tags.filter(keepTag),
      uniqueKeys: false,
      prettyErrors: true,
      logLevel: 'error',
      stringKeys: false,
    });
    const error = document.errors[0];
    if (error !== undefined)
      throw isOverflow(error) ? tooDeep(error) : yamlError(parserMessage(error), error);
    const value = toJson(document.toJS({ maxAliasCount: yamlAliasesMax }), 0, { values: 0 });
    const duplicates = () => {
      const found: string[] = [];
      collectDuplicates(document.contents, '', found);
      return found;
    };
    return { value, duplicateFields: duplicates };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    // ReferenceError: an alias without anchor, or too many.
    throw isOverflow(error) ? tooDeep(error) : yamlError(messageOf(error), error);
  }
}

/** The parser takes some 900 levels before its stack is full, and tells of that as of any other fault. */
function isOverflow(error: unknown): boolean {
  return /^Maximum call stack size exceeded/.test(messageOf(error));
}

function tooDeep(cause?: unknown): ApiError {
  return new ApiError('BadRequest', `YAML is nested deeper than ${jsonDepthMax} levels`, { cause });
}

/** Without the excerpt of the source, and without advice that is not for the user. */
function parserMessage(error: Yaml.YAMLParseError): string {
  if (error.code === 'MULTIPLE_DOCS') return 'expected one document, found several';
  return (error.message.split('\n')[0] as string).replace(/:$/, '');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function yamlError(why: string, cause?: unknown): ApiError {
  return new ApiError('BadRequest', `error converting YAML to JSON: yaml: ${why}`, { cause });
}

/** JSON is YAML, and most bodies of type `apply-patch+yaml` are JSON: the fast way for those. */
function tryJson(bytes: Buffer): DecodedJson | undefined {
  let at = 0;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++;
  if (bytes[at] !== 0x7b) return undefined;
  try {
    return decodeJson(bytes);
  } catch (error) {
    // Flow style without quotes is fine in YAML. What JSON refuses as such is refused there as well.
    if (error instanceof ApiError && error.message.includes('json parse error')) return undefined;
    throw error;
  }
}

/** A copy of plain JSON values: aliases no longer share structure, so that the copy may be changed freely. */
function toJson(value: unknown, depth: number, budget: { values: number }): JsonValue {
  if (++budget.values > yamlValuesMax)
    throw badRequest(`YAML document holds more than ${yamlValuesMax} values`);
  if (depth > jsonDepthMax) throw tooDeep();
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'string':
      if (loneSurrogate.test(value)) throw yamlError('found invalid Unicode character escape code');
      return value;
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw yamlError(`unsupported value: ${value}`);
      return value;
    case 'bigint':
      return Number(value);
    case 'object':
      if (Array.isArray(value)) return value.map((item) => toJson(item, depth + 1, budget));
      if (Object.getPrototypeOf(value) === Object.prototype) {
        if (Object.hasOwn(value, '__proto__')) refuseDangerousKeys(value as JsonValue);
        const object: { [key: string]: JsonValue } = {};
        // In the order in which Go writes a map as JSON: what is wrong is told of the first.
        for (const key of Object.keys(value).sort())
          object[key] = toJson((value as { [key: string]: unknown })[key], depth + 1, budget);
        return object;
      }
      throw yamlError(`unsupported value of type ${value.constructor?.name ?? 'object'}`);
    default:
      throw yamlError(`unsupported value of type ${typeof value}`);
  }
}

function collectDuplicates(node: unknown, path: string, found: string[]): void {
  const { isMap, isScalar, isSeq } = yaml();
  if (isMap(node)) {
    const seen = new Set<string>();
    for (const { key, value } of node.items) {
      const name = String(isScalar(key) ? key.value : key);
      const keyPath = path === '' ? name : `${path}.${name}`;
      if (name !== '<<' && seen.has(name) && !found.includes(keyPath)) found.push(keyPath);
      seen.add(name);
      collectDuplicates(value, keyPath, found);
    }
  } else if (isSeq(node)) {
    node.items.forEach((item, index) => {
      collectDuplicates(item, `${path}[${index}]`, found);
    });
  }
}
