import type { Schema } from '#apimachinery/schema.ts';

/**
 * Whether two schemas divide values into the same fields that can be owned, so that a path means the same in both
 * (KUBERNETES.md P6). Of trees, as those of CRDs are.
 */
export function isOwnedAlike(a: Schema, b: Schema): boolean {
  if (a === b) return true;
  return (
    a.type === b.type &&
    a.listType === b.listType &&
    a.mapType === b.mapType &&
    a.intOrString === b.intOrString &&
    a.embeddedResource === b.embeddedResource &&
    a.preserveUnknownFields === b.preserveUnknownFields &&
    String(a.listMapKeys ?? '') === String(b.listMapKeys ?? '') &&
    areAlike(a.items, b.items) &&
    areAlike(a.additionalProperties, b.additionalProperties) &&
    haveLikeProperties(a, b)
  );
}

function areAlike(a: Schema | undefined, b: Schema | undefined): boolean {
  return a === undefined || b === undefined ? a === b : isOwnedAlike(a, b);
}

function haveLikeProperties({ properties: one }: Schema, { properties: other }: Schema): boolean {
  if ((one?.size ?? 0) !== (other?.size ?? 0)) return false;
  for (const [name, child] of one ?? []) {
    const twin = other?.get(name);
    if (twin === undefined || !isOwnedAlike(child, twin)) return false;
  }
  return true;
}
