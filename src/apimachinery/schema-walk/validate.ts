import type { FieldError } from '../field-error.ts';
import type { JsonValue } from '../json.ts';
import type { Schema } from '../schema.ts';
import { compiled } from './compiled-schema.ts';
import { type Found, ValidationWalk } from './validation-walk.ts';

/**
 * Validates against a schema as Kubernetes validates custom resources, with its error texts: types, required, enum,
 * pattern (Go syntax, linear time), format, bounds, allOf/anyOf/oneOf/not, repeated items of set and map lists.
 * `path` is put before every field. At most 100 errors. Defaults must have been applied, and nulls with them.
 * Lists inside Kubernetes' own types (`definition` io.k8s.…) are not checked for repeated keys: Kubernetes allows,
 * for one, an environment variable given twice.
 */
export function validateValue(schema: Schema, value: JsonValue, path = ''): FieldError[] {
  const walk = new ValidationWalk(path);
  walk.validate(compiled(schema), value, 0, true);
  return distinct(walk.found);
}

/** Each once: a junctor may say again what is said without it. */
export function distinct(found: readonly Found[]): FieldError[] {
  const seen = new Set<string>();
  const isNew = ({ origin, error: { field, message } }: Found) =>
    origin !== 'schema' || (!seen.has(`${field}: ${message}`) && seen.add(`${field}: ${message}`));
  return found.filter(isNew).map(({ error }) => error);
}
