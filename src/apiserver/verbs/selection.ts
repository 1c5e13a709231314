import { type ApiError, badRequest } from '#apimachinery/api-error.ts';
import { type FieldRequirement, parseFieldSelector } from '#apimachinery/field-selector.ts';
import { everything, type LabelSelector, parseLabelSelector } from '#apimachinery/label-selector.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { storedLabel } from '../registry/selectable-fields.ts';
import { headerOf } from '../registry/stored-object.ts';

/** What a list or watch selects by, evaluated on keys and headers: no body is parsed for it (L5). */
export interface Selection {
  /** No selector at all: every entry matches. */
  readonly isEmpty: boolean;
  /** The one name that can match, when the field selector says so. */
  readonly name: string | undefined;
  /** Canonical text, the same for equal selections. */
  readonly text: string;
  matches(entry: CacheEntry): boolean;
}

const all: Selection = { isEmpty: true, name: undefined, text: '', matches: () => true };

/** Parses both selectors; 400 when malformed or when a field cannot be selected by. */
export function parseSelection(labelText: string, fieldText: string, served: ServedResource): Selection {
  if (labelText === '' && fieldText === '') return all;
  const labels = parseLabelSelector(labelText);
  const fields = parseFieldSelector(fieldText);
  for (const { path } of fields) {
    if (!isSelectable(path, served)) throw notSelectable(path, served);
  }
  if (labels.empty && fields.length === 0) return all;
  return new HeaderSelection(labels, fields, served);
}

/** Kinds that can be selected by nothing but their name say what there is (runtime `DefaultMetaV1FieldSelectorConversion`). */
function notSelectable(path: string, { version, definition }: ServedResource): ApiError {
  if (definition.origin === 'custom' || version.selectableFields.size > 0) {
    return badRequest(`field label not supported: ${path}`);
  }
  return badRequest(
    `${JSON.stringify(path)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

function isSelectable(path: string, { definition, version }: ServedResource): boolean {
  if (path === 'metadata.name') return true;
  if (path === 'metadata.namespace') return definition.namespaced;
  return version.selectableFields.has(path);
}

class HeaderSelection implements Selection {
  readonly isEmpty = false;
  readonly name: string | undefined;
  readonly text: string;
  readonly #labels: LabelSelector | undefined;
  readonly #keyFields: readonly FieldRequirement[];
  readonly #headerFields: readonly FieldRequirement[];

  constructor(
    labels: LabelSelector,
    fields: readonly FieldRequirement[],
    { version, definition }: ServedResource,
  ) {
    this.#labels = labels === everything || labels.empty ? undefined : labels;
    this.#keyFields = fields.filter(({ path }) => path.startsWith('metadata.name'));
    this.#headerFields = fields
      .filter(({ path }) => !path.startsWith('metadata.name'))
      .map((field) => ({ ...field, path: storedLabel(field.path, version, definition) }));
    this.name = fields.find(({ path, operator }) => path === 'metadata.name' && operator === '=')?.value;
    const terms = fields.map(({ path, operator, value }) => JSON.stringify([path, operator, value])).sort();
    this.text = `${labels.toString()};${terms.join(',')}`;
  }

  matches(entry: CacheEntry): boolean {
    for (const { path, operator, value } of this.#keyFields) {
      const actual = path === 'metadata.name' ? nameOf(entry.key) : namespaceOf(entry.key);
      if ((actual === value) !== (operator === '=')) return false;
    }
    if (this.#labels === undefined && this.#headerFields.length === 0) return true;
    const header = headerOf(entry);
    if (this.#labels !== undefined && !this.#labels.matches(header.labels)) return false;
    for (const { path, operator, value } of this.#headerFields) {
      if (((header.fields[path] ?? '') === value) !== (operator === '=')) return false;
    }
    return true;
  }
}

/** The last part of `/<group>/<resource>/<cluster id>/<namespace>/<name>`. */
export function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

export function namespaceOf(key: string): string {
  const end = key.lastIndexOf('/');
  return key.slice(key.lastIndexOf('/', end - 1) + 1, end);
}
