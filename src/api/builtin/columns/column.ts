import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import { objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { ageOf } from './human-duration.ts';

type Cell = (object: KubeObject, now: Date) => JsonValue;

/** A column that is always shown. */
export function column(name: string, value: Cell, type: Column['type'] = 'string'): Column {
  return { name, type, priority: 0, value };
}

/** A column of `-o wide`. */
export function wideColumn(name: string, value: Cell, type: Column['type'] = 'string'): Column {
  return { name, type, priority: 1, value };
}

const nameDescription = 'Name must be unique within a namespace.';

/** Marks the column whose cells name the object: kubectl puts the kind before them when it lists several kinds. */
export function nameColumn(value: Cell = (object) => object.metadata.name ?? ''): Column {
  return { name: 'Name', type: 'string', format: 'name', description: nameDescription, priority: 0, value };
}

export const name: Column = nameColumn();

export const age: Column = column('Age', (object, now) => ageOf(object.metadata.creationTimestamp, now));

/** The age's stand-in where Kubernetes has no printer of its own for a kind: the time itself. */
export const createdAt: Column = column(
  'Created At',
  (object) => object.metadata.creationTimestamp ?? '',
  'date',
);

/** A column that shows the text at a path as it is. */
export function textColumn(title: string, ...path: string[]): Column {
  return column(title, (object) => textAt(object, ...path));
}

/** The text, or a stand-in when it is empty. */
export function textOr(text: string, otherwise: string): string {
  return text === '' ? otherwise : text;
}

/** Container names and images of a pod spec, comma-separated. */
export function containerColumns(...podSpecPath: string[]): Column[] {
  const list = (field: string) => (object: KubeObject) =>
    objectsAt(
      podSpecPath.reduce<JsonValue | undefined>((at, key) => valueAt(at, key), object),
      'containers',
    )
      .map((container) => textAt(container, field))
      .join(',');
  return [wideColumn('Containers', list('name')), wideColumn('Images', list('image'))];
}

/** `a=b,c=d`, sorted by key; `<none>` for an empty map (apimachinery's labels.FormatLabels). */
export function formatLabels(labels: JsonValue | undefined): string {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return '<none>';
  const pairs = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${String(labels[key])}`);
  return pairs.length === 0 ? '<none>' : pairs.join(',');
}

/** `a=b,c in (d,e),!f`: a LabelSelector as text, sorted by key; '' selects everything. */
export function selectorText(selector: JsonObject | undefined): string {
  const parts: { readonly key: string; readonly text: string }[] = [];
  const matchLabels = valueAt(selector, 'matchLabels');
  if (typeof matchLabels === 'object' && !Array.isArray(matchLabels)) {
    for (const key in matchLabels) parts.push({ key, text: `${key}=${String(matchLabels[key])}` });
  }
  for (const requirement of objectsAt(selector, 'matchExpressions')) {
    const key = textAt(requirement, 'key');
    const values = [...textsAt(requirement, 'values')].sort().join(',');
    switch (textAt(requirement, 'operator')) {
      case 'In':
        parts.push({ key, text: `${key} in (${values})` });
        break;
      case 'NotIn':
        parts.push({ key, text: `${key} notin (${values})` });
        break;
      case 'Exists':
        parts.push({ key, text: key });
        break;
      default:
        parts.push({ key, text: `!${key}` });
    }
  }
  parts.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return parts.map((part) => part.text).join(',');
}

/** The same for a cell: `<none>` when it selects everything or is absent (meta/v1 FormatLabelSelector). */
export function formatSelector(selector: JsonObject | undefined): string {
  return textOr(selectorText(selector), '<none>');
}

/** The first `max` members, and how many more there are. */
export function listWithMore(list: readonly string[], max: number): string {
  if (list.length > max) return `${list.slice(0, max).join(',')} + ${list.length - max} more...`;
  return textOr(list.join(','), '<unset>');
}
