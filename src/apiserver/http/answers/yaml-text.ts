import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { JsonValue } from '#apimachinery/json.ts';

let loaded: typeof Yaml | undefined;

/** YAML 1.1 as Kubernetes writes it: keys sorted, text quoted where a 1.1 reader would take it for something else. */
export function toYaml(value: JsonValue): string {
  loaded ??= createRequire(import.meta.url)('yaml') as typeof Yaml;
  return loaded.stringify(value, {
    version: '1.1',
    sortMapEntries: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}
