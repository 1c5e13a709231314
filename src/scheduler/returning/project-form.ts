import { returnAnnotations, returnedFromLabel } from '#api/federation/return-contract.ts';
import type { ReturnedObject } from '#api/federation/returned-object.ts';
import { sha256Base32 } from '#apimachinery/hash.ts';
import { asObject, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';

export interface ProjectFormOptions {
  readonly cell: string;
  /** As `returnAnnotations.source` says. */
  readonly source: string;
  /** The mapped namespace, and the project's. */
  readonly cellNamespace: string;
  readonly projectNamespace: string;
  readonly naming: 'Same' | 'WithCell';
}

const nameLengthMax = 253;

/** The name that an object from a cell has in its project. */
export function projectNameOf(
  name: string,
  { cell, naming }: Pick<ProjectFormOptions, 'cell' | 'naming'>,
): string {
  if (naming === 'Same') return name;
  const suffixed = `${name}-${cell}`;
  if (suffixed.length <= nameLengthMax) return suffixed;
  const end = `-${sha256Base32(suffixed, 16)}`;
  return `${suffixed.slice(0, nameLengthMax - end.length).replace(/[-.]+$/, '')}${end}`;
}

/** The name that an Event from a cell has in its project: several cells may say the same. */
export function projectEventNameOf(name: string, cell: string): string {
  return `${name}.${sha256Base32(cell, 8)}`;
}

/**
 * A ReturnedObject of an Event as it is written into its project: about the project's object of that name, whose uid clients
 * ask for (`kubectl describe`), and saying which cell it comes from. `involvedUid`: '' when the project has no such object.
 */
export function projectEventForm(
  returned: ReturnedObject,
  options: Omit<ProjectFormOptions, 'naming'>,
  involvedUid: string,
): JsonObject {
  const { object, name } = returned.spec;
  const form = projectForm(returned, { ...options, naming: 'Same' });
  const { uid: _uid, resourceVersion: _revision, ...involved } = asObject(object['involvedObject']);
  const { component, host } = asObject(object['source']);
  return {
    ...form,
    metadata: { ...asObject(form['metadata']), name: projectEventNameOf(name, options.cell) },
    involvedObject: {
      ...involved,
      namespace: options.projectNamespace,
      ...(involvedUid === '' ? {} : { uid: involvedUid }),
    },
    // What clients show of where an Event is from is the component alone.
    source: {
      component: typeof component === 'string' ? `${options.cell}/${component}` : options.cell,
      ...(typeof host === 'string' && host !== '' ? { host } : {}),
    },
  };
}

/** The status of a ReturnedObject as it is written into its project; undefined when it has none. */
export function projectStatusOf(
  { spec: { object } }: ReturnedObject,
  options: ProjectFormOptions,
): JsonObject | undefined {
  const status = object['status'];
  return isJsonObject(status) ? (withoutCellNamespace(status, options) as JsonObject) : undefined;
}

/**
 * A ReturnedObject as it is written into its project: with marks of where it came from, and every `namespace` field that names
 * the mapped namespace naming the project's. What the edge says of identity, owners and marks of the federation is not taken.
 */
export function projectForm(returned: ReturnedObject, options: ProjectFormOptions): JsonObject {
  const { object } = returned.spec;
  const { metadata, status: _status, ...content } = object;
  const given = isJsonObject(metadata) ? metadata : {};
  const state = returned.metadata.annotations?.[returnAnnotations.edgeState] ?? '';
  return {
    ...(withoutCellNamespace(content, options) as JsonObject),
    metadata: {
      name: projectNameOf(returned.spec.name, options),
      namespace: options.projectNamespace,
      labels: { ...texts(given['labels']), [returnedFromLabel]: options.cell },
      annotations: {
        ...texts(given['annotations']),
        [returnAnnotations.source]: options.source,
        [returnAnnotations.edgeState]: state,
      },
    },
  };
}

function withoutCellNamespace(value: JsonValue, options: ProjectFormOptions): JsonValue {
  if (Array.isArray(value)) return value.map((item) => withoutCellNamespace(item, options));
  if (!isJsonObject(value)) return value;
  const mapped: JsonObject = {};
  for (const key in value) {
    const inner = value[key] ?? null;
    const namesIt = key === 'namespace' && inner === options.cellNamespace;
    // What lies in a ConfigMap's or Secret's data is text, not references.
    const isOpaque = key === 'data' || key === 'binaryData' || key === 'stringData';
    mapped[key] = namesIt
      ? options.projectNamespace
      : isOpaque
        ? inner
        : withoutCellNamespace(inner, options);
  }
  return mapped;
}

/** Labels or annotations: texts alone, and none of the federation's own. */
function texts(value: JsonValue | undefined): { [key: string]: string } {
  const kept: { [key: string]: string } = {};
  if (!isJsonObject(value)) return kept;
  for (const key in value) {
    const text = value[key];
    const domain = key.slice(0, Math.max(0, key.indexOf('/')));
    const isOwn = ['cellplane.io', 'kcp.io', 'karmada.io'].some(
      (own) => domain === own || domain.endsWith(`.${own}`),
    );
    if (typeof text === 'string' && !isOwn) kept[key] = text;
  }
  return kept;
}
