import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';

/** The fields of a configuration file: `true` ends there; a list of objects is described by its items. */
export interface KnownFields {
  readonly [field: string]: true | KnownFields;
}

/** Throws Error naming a field that there is none of: misspelt, a rule would be none. */
export function refuseUnknownFields(value: JsonObject, known: KnownFields, at = ''): void {
  for (const [field, child] of Object.entries(value)) {
    const path = at === '' ? field : `${at}.${field}`;
    const below = Object.hasOwn(known, field) ? known[field] : undefined;
    if (below === undefined) throw new Error(`${path}: unknown field`);
    if (below === true) continue;
    if (Array.isArray(child)) {
      child.forEach((item, i) => {
        if (isJsonObject(item)) refuseUnknownFields(item, below, `${path}[${i}]`);
      });
    } else if (isJsonObject(child)) refuseUnknownFields(child, below, path);
  }
}
