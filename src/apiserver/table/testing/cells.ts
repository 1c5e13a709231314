import assert from 'node:assert/strict';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { renderTable } from '../table.ts';

/** When tables are rendered. */
export const now = new Date('2024-05-10T12:00:00Z');
/** RFC 3339 text of some seconds before `now`. */
export const ago = (seconds: number) =>
  new Date(now.getTime() - seconds * 1000).toISOString().replace('.000', '');

/** A built-in kind at the given version, by default the stored one. */
export function served(group: string, resource: string, version?: string): ServedResource {
  const definition = builtinDefinitions().find((one) => one.group === group && one.resource === resource)!;
  const found = version ?? definition.storageVersion;
  return { definition, version: definition.versions.find((one) => one.version === found)! };
}

export function table(
  one: ServedResource,
  object: JsonObject,
  includeObject: 'None' | 'Metadata' | 'Object' = 'None',
) {
  return renderTable({
    served: one,
    objects: [object as KubeObject],
    includeObject,
    apiVersion: 'v1',
    listMetadata: { resourceVersion: '7' },
    now,
    withColumns: true,
  });
}

/** Cells by column name, without Name and Age. */
export function cells(one: ServedResource, object: JsonObject): { [column: string]: JsonValue } {
  const rendered = table(one, { metadata: { name: 'x', creationTimestamp: ago(90) }, ...object });
  const definitions = rendered['columnDefinitions'] as { name: string }[];
  const row = (rendered['rows'] as { cells: JsonValue[] }[])[0]!;
  const byName: { [column: string]: JsonValue } = {};
  definitions.forEach(({ name }, i) => {
    byName[name] = row.cells[i]!;
  });
  if ('Age' in byName) assert.equal(byName['Age'], '90s');
  delete byName['Name'];
  delete byName['Age'];
  return byName;
}
