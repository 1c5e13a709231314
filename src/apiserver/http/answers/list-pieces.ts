import type { JsonObject } from '#apimachinery/json.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { servedApiVersion } from '../../registry/conversion.ts';
import type { ListResult } from '../../verbs/result.ts';
import type { Exchange } from '../exchange.ts';
import type { FormCache } from './form-cache.ts';
import type { Form } from './negotiate.ts';
import {
  entryJson,
  entryMetadataJson,
  includeObjectOf,
  partialMetadata,
  servedObjects,
  type TableShape,
  tableOf,
} from './object-forms.ts';
import { entriesPerLook } from './slices.ts';
import { toYaml } from './yaml-text.ts';

const comma = Buffer.from(',');

/** Stands between pieces where the loop may be yielded. */
export const pause = Symbol('pause');
export type Piece = Buffer | typeof pause;

/** A list's document in JSON or YAML, a piece at a time: entries are taken as pieces are. */
export function* piecesOf(
  exchange: Exchange,
  result: ListResult,
  form: Form,
  forms: FormCache,
): Generator<Piece> {
  if (form.as === 'Table') yield* tablePieces(exchange, result, form);
  else if (form.encoding === 'yaml') yield* yamlPieces(result, form);
  else yield* jsonPieces(result, form, forms);
}

function* jsonPieces(result: ListResult, form: Form, forms: FormCache): Generator<Piece> {
  const { served } = result;
  const isPartial = form.as === 'PartialObjectMetadata';
  const { kind, apiVersion } = listType(result, form);
  yield Buffer.from(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"items":[`);
  let count = 0;
  for (const entry of result.entries) {
    if (count++ > 0) yield comma;
    yield isPartial ? entryMetadataJson(entry, form) : entryJson(forms, entry, served);
    if (count % entriesPerLook === 0) yield pause;
  }
  yield Buffer.from(`],"metadata":${JSON.stringify(listMetadata(result, form))}}\n`);
}

export function listType({ served }: ListResult, form: Form): { kind: string; apiVersion: string } {
  return form.as === 'PartialObjectMetadata'
    ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.metaVersion}` }
    : { kind: served.definition.listKind, apiVersion: servedApiVersion(served) };
}

/** To be called after the entries were taken. */
export function listMetadata(result: ListResult, form: Form): JsonObject {
  const { continue: token = '', remainingItemCount } = result.page();
  // A list of custom resources says that nothing follows, as kube-apiserver's does (unstructured SetContinue).
  const tellsEnd = form.as === 'Object' && result.served.definition.origin === 'custom';
  return {
    resourceVersion: String(result.revision),
    ...(token === '' && !tellsEnd ? {} : { continue: token }),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  };
}

/** A Table in slices of rows; the first tells the columns. */
function* tablePieces(exchange: Exchange, result: ListResult, form: Form): Generator<Piece> {
  const includeObject = includeObjectOf(exchange);
  if (form.encoding === 'yaml') {
    const shape = { form, includeObject, withColumns: true };
    const table = tableOf(result.served, servedObjects(result.entries, result.served), {}, shape);
    yield Buffer.from(toYaml({ ...table, metadata: listMetadata(result, form) }));
    return;
  }
  let isFirst = true;
  let hasRows = false;
  for (const slice of slices(result.entries, entriesPerLook)) {
    const shape: TableShape = { form, includeObject, withColumns: isFirst };
    const table = tableOf(result.served, servedObjects(slice, result.served), {}, shape);
    if (isFirst) yield tableHead(table);
    isFirst = false;
    const rows = JSON.stringify(table['rows']).slice(1, -1);
    if (rows !== '') {
      yield Buffer.from(hasRows ? `,${rows}` : rows);
      hasRows = true;
    }
    yield pause;
  }
  yield Buffer.from(`],"metadata":${JSON.stringify(listMetadata(result, form))}}\n`);
}

function tableHead(table: JsonObject): Buffer {
  const { kind, apiVersion, columnDefinitions } = table;
  return Buffer.from(`${JSON.stringify({ kind, apiVersion, columnDefinitions }).slice(0, -1)},"rows":[`);
}

/** At least one slice, perhaps an empty one. */
function* slices(entries: Iterable<CacheEntry>, size: number): Generator<CacheEntry[]> {
  let slice: CacheEntry[] = [];
  let any = false;
  for (const entry of entries) {
    slice.push(entry);
    if (slice.length < size) continue;
    any = true;
    yield slice;
    slice = [];
  }
  if (!any || slice.length > 0) yield slice;
}

function* yamlPieces(result: ListResult, form: Form): Generator<Piece> {
  const { kind, apiVersion } = listType(result, form);
  yield Buffer.from(`apiVersion: ${apiVersion}\n`);
  let hasItems = false;
  for (const object of servedObjects(result.entries, result.served)) {
    if (!hasItems) yield Buffer.from('items:\n');
    hasItems = true;
    const shown = form.as === 'PartialObjectMetadata' ? partialMetadata(object, form) : object;
    yield Buffer.from(`- ${toYaml(shown).trimEnd().replaceAll('\n', '\n  ')}\n`);
    yield pause;
  }
  if (!hasItems) yield Buffer.from('items: []\n');
  yield Buffer.from(`kind: ${kind}\n${toYaml({ metadata: listMetadata(result, form) })}`);
}
