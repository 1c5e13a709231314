import { type FieldError, invalidObject } from '#apimachinery/field-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { validateChange, validateValue } from '#apimachinery/schema-walk/validate.ts';
import { isInert, type Target } from './target.ts';
import { validateMetadata, validateMetadataUpdate } from './validate-metadata.ts';

/**
 * Throws 422 with every error of an object about to be stored: metadata, schema, and the kind's own rules. `old` is what
 * it replaces, undefined on create.
 */
export function validateObject(
  object: KubeObject,
  old: KubeObject | undefined,
  target: Target,
  subresource: string,
): void {
  const { definition, version } = target.served;
  const errors = validateMetadata(object.metadata, definition);
  if (old !== undefined) errors.push(...validateMetadataUpdate(object.metadata, old.metadata));
  // R5: what was wrong before and has not been touched passes.
  const ratchets = old !== undefined && definition.origin === 'custom';
  errors.push(
    ...(ratchets ? validateChange(version.schema, object, old) : validateValue(version.schema, object)),
  );
  if (!isInert(target.workspace, definition))
    errors.push(...strategyErrors(object, old, target, subresource));
  if (errors.length === 0) return;
  throw invalidObject(definition, object.metadata.name ?? object.metadata.generateName ?? '', unique(errors));
}

function strategyErrors(
  object: KubeObject,
  old: KubeObject | undefined,
  target: Target,
  subresource: string,
): FieldError[] {
  const { strategy } = target.served.definition;
  if (old !== undefined && strategy.validateUpdate !== undefined) {
    return strategy.validateUpdate(object, old, subresource);
  }
  return strategy.validate?.(object) ?? [];
}

/** The schema and the kind's rules may find the same thing. */
function unique(errors: readonly FieldError[]): FieldError[] {
  const seen = new Set<string>();
  return errors.filter(({ type, field }) => {
    const key = `${type} ${field}`;
    // Two different complaints about one field are both worth telling, two absences are one.
    if (type !== 'FieldValueRequired' && type !== 'FieldValueNotSupported') return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
