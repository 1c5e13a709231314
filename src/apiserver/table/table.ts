import { createdAt } from '#api/builtin/columns/column.ts';
import { ageOf } from '#api/builtin/columns/human-duration.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { inRowOrder } from './row-order.ts';

/** How much of each object a Table's rows carry: nothing, PartialObjectMetadata (the default), all. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  readonly served: ServedResource;
  /** In the served version. Read once, row by row. */
  readonly objects: Iterable<KubeObject>;
  readonly includeObject: IncludeObject;
  /** Version of meta.k8s.io that the client asked for. */
  readonly apiVersion: 'v1' | 'v1beta1';
  /** resourceVersion, continue, remainingItemCount of the list; of the one object for a get or a watch event. */
  readonly listMetadata: JsonObject;
  readonly now: Date;
  /** False leaves the definitions out: only the first event of a watch carries them (KUBERNETES.md N3). */
  readonly withColumns: boolean;
}

/**
 * A meta.k8s.io Table of objects (KUBERNETES.md N3). Cells are as kubectl prints them: it adds nothing but padding, so
 * times in columns of type `date` become ages here (apiextensions' tableconvertor does the same),
 * but for the time that stands in for the age.
 */
export function renderTable(options: TableOptions): JsonObject {
  const { served, apiVersion } = options;
  const columns = served.version.columns;
  const rows: JsonValue[] = [];
  for (const object of inRowOrder(served.definition, options.objects))
    rows.push(renderRow(columns, object, options));
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${apiVersion}`,
    metadata: options.listMetadata,
    columnDefinitions: options.withColumns ? columnDefinitions(columns) : [],
    rows,
  };
}

const definitionsOf = new WeakMap<readonly Column[], JsonValue[]>();

/** The definitions of one list of columns, made once. */
function columnDefinitions(columns: readonly Column[]): JsonValue[] {
  let definitions = definitionsOf.get(columns);
  if (definitions === undefined) {
    definitions = columns.map((column) => ({
      name: column.name,
      type: column.type,
      format: column.format ?? '',
      description: column.description ?? '',
      priority: column.priority,
    }));
    definitionsOf.set(columns, definitions);
  }
  return definitions;
}

function renderRow(columns: readonly Column[], object: KubeObject, options: TableOptions): JsonObject {
  const cells: JsonValue[] = new Array(columns.length);
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    const value = column.value(object, options.now);
    cells[i] = column.type === 'date' && column !== createdAt ? dateCell(value, options.now) : value;
  }
  switch (options.includeObject) {
    case 'None':
      return { cells, object: null };
    case 'Object':
      return { cells, object };
    case 'Metadata':
      return {
        cells,
        object: {
          kind: 'PartialObjectMetadata',
          apiVersion: `meta.k8s.io/${options.apiVersion}`,
          metadata: object.metadata,
        },
      };
  }
}

/** An absent time stays an empty cell; what is no time is told (apiextensions' tableconvertor, cellForJSONValue). */
function dateCell(value: JsonValue, now: Date): JsonValue {
  if (value === null) return null;
  if (typeof value !== 'string') return '<invalid>';
  if (value === '') return '<unknown>';
  return Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, now);
}
