import { age } from '#api/builtin/columns/column.ts';
import { badRequest } from '#apimachinery/api-error.ts';
import { invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { encodeBody } from '../../protobuf/encode-object.ts';
import { renderAsStored, renderEntry, servedApiVersion, servedObjectOf } from '../../registry/conversion.ts';
import { leanMetadataBodyOf, metadataBodyOf, metadataObjectOf } from '../../registry/stored-body.ts';
import { type IncludeObject, renderTable } from '../../table/table.ts';
import type { Exchange } from '../exchange.ts';
import type { FormCache } from './form-cache.ts';
import type { Form } from './negotiate.ts';

/** An entry's JSON in the served version: a splice where versions differ only in name, else converted once and kept. */
export function entryJson(
  forms: FormCache,
  entry: CacheEntry,
  served: ServedResource,
  revision?: Revision,
): Buffer {
  if (revision !== undefined) return renderEntry(entry, served, revision);
  const stored = renderAsStored(entry, served);
  if (stored !== undefined) return stored;
  // A copy: what is kept must not keep the lot that it was cut from (byte-lots.ts).
  return forms.get(entry, `json ${shapeKey(served)}`, () => Buffer.from(renderEntry(entry, served)));
}

/** What an entry's served form depends on besides the entry: a CRD's schemas may change. */
export function shapeKey(served: ServedResource): string {
  return `${servedApiVersion(served)} ${served.definition.contentHash ?? ''}`;
}

/** PartialObjectMetadata (N4) of an entry. */
export function entryMetadataJson(entry: CacheEntry, form: Form, revision?: Revision): Buffer {
  if (form.isLean === true) return leanMetadataBodyOf(entry, revision);
  if (form.metaVersion === 'v1') return metadataBodyOf(entry, revision);
  return Buffer.from(JSON.stringify(partialMetadata(metadataObjectOf(entry, revision), form)));
}

/** The kind that the entry's form bears. */
export function shownKind(
  { definition, version }: ServedResource,
  form: Form,
): { readonly apiVersion: string; readonly kind: string } {
  return form.as === 'PartialObjectMetadata'
    ? { apiVersion: `meta.k8s.io/${form.metaVersion}`, kind: 'PartialObjectMetadata' }
    : { apiVersion: servedApiVersion({ definition, version }), kind: definition.kind };
}

/** The entry's message, as `encodeBody` makes it, in its served version or its metadata alone (N4); made once and kept. */
export function entryProtobuf(
  forms: FormCache,
  entry: CacheEntry,
  served: ServedResource,
  form: Form,
): Buffer {
  const which = form.as === 'PartialObjectMetadata' ? 'pm' : `pb ${shapeKey(served)}`;
  return forms.get(entry, which, () => protobufBody(entry, served, form));
}

/** Like `entryProtobuf`, made anew; `revision` is what to show instead of the entry's own. */
export function protobufBody(
  entry: CacheEntry,
  served: ServedResource,
  form: Form,
  revision?: Revision,
): Buffer {
  return encodeBody(
    form.as === 'PartialObjectMetadata'
      ? metadataObjectOf(entry, revision)
      : servedObjectOf(entry, served, revision),
  );
}

export function partialMetadata({ metadata }: KubeObject, { metaVersion, isLean }: Form): JsonObject {
  const { managedFields: _, ...lean } = metadata;
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata: isLean === true ? lean : metadata,
  };
}

/** KUBERNETES.md N3: `includeObject` of the query, Metadata by default; 400 for what is no such word (ValidateTableOptions). */
export function includeObjectOf({ info }: Pick<Exchange, 'info'>): IncludeObject {
  if (!info.rawQuery.includes('includeObject')) return 'Metadata';
  const asked = info.query.get('includeObject') ?? '';
  if (asked === '') return 'Metadata';
  if (asked === 'None' || asked === 'Object' || asked === 'Metadata') return asked;
  const { field, message } = invalid(
    'includeObject',
    asked,
    "must be 'Metadata', 'Object', 'None', or empty",
  );
  throw badRequest(`Unable to convert to Table as requested: ${field}: ${message}`);
}

export interface TableShape {
  readonly form: Form;
  readonly includeObject: IncludeObject;
  readonly withColumns: boolean;
}

export function tableOf(
  served: ServedResource,
  objects: Iterable<KubeObject>,
  listMetadata: JsonObject,
  { form, includeObject, withColumns }: TableShape,
): JsonObject {
  return renderTable({
    served,
    objects,
    includeObject,
    apiVersion: form.metaVersion,
    listMetadata,
    now: new Date(),
    withColumns,
  });
}

/** The Table of one object; an object of another kind than the resource's (Scale) has columns of its own. */
export function tableOfObject(served: ServedResource, object: KubeObject, shape: TableShape): JsonObject {
  const { resourceVersion } = object.metadata;
  const listMetadata: JsonObject = resourceVersion === undefined ? {} : { resourceVersion };
  const shown =
    object.kind === served.definition.kind ? served : withColumns(served, columnsFor(object.kind, served));
  return tableOf(shown, [object], listMetadata, shape);
}

export function* servedObjects(entries: Iterable<CacheEntry>, served: ServedResource): Generator<KubeObject> {
  for (const entry of entries) yield servedObjectOf(entry, served);
}

const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  priority: 0,
  value: (object) => object.metadata.name ?? '',
};
const ageColumn: Column = {
  name: 'Age',
  type: 'date',
  priority: 0,
  value: (object) => object.metadata.creationTimestamp ?? null,
};
const scaleColumns: readonly Column[] = [
  nameColumn,
  replicasColumn('Desired', 'spec'),
  replicasColumn('Available', 'status'),
  ageColumn,
];
/** Of Kubernetes' own kinds, as its printer has them (pkg/printers/internalversion, printScale). */
const builtinScaleColumns: readonly Column[] = [
  { ...nameColumn, format: '' },
  replicasColumn('Desired', 'spec'),
  replicasColumn('Available', 'status'),
  age,
];
const plainColumns: readonly Column[] = [nameColumn, ageColumn];

function columnsFor(kind: string, { definition }: ServedResource): readonly Column[] {
  if (kind !== 'Scale') return plainColumns;
  return definition.origin === 'custom' ? scaleColumns : builtinScaleColumns;
}

function replicasColumn(name: string, part: 'spec' | 'status'): Column {
  return {
    name,
    type: 'integer',
    priority: 0,
    value: (object) => {
      const { replicas } = (object[part] ?? {}) as { replicas?: number };
      return replicas ?? 0;
    },
  };
}

function withColumns(served: ServedResource, columns: readonly Column[]): ServedResource {
  return { definition: served.definition, version: { ...served.version, columns } };
}
