import { createHash } from 'node:crypto';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
import { dropUndefaultedNulls } from '#apimachinery/schema-walk/undefaulted-nulls.ts';
import { coerceEmbedded } from './embedded-resources.ts';

/**
 * Brings a custom resource into the shape of one version's schema, in place: what the schema does not know goes, and
 * nulls that it neither allows nor has a default for. Done whenever one is decoded or converted
 * (apiextensions-apiserver `unstructuredSchemaCoercer`; KUBERNETES.md R3, R7).
 */
export function coerceToSchema(schema: Schema, object: KubeObject): void {
  const { apiVersion: _, kind: _kind, metadata: _metadata, ...rest } = object;
  pruneUnknown(schema, rest);
  coerceEmbedded(schema, rest);
  dropUndefaultedNulls(schema, rest);
  // Below the root all of it has been done in place.
  for (const key in object) {
    if (!isIdentity(key) && !Object.hasOwn(rest, key)) delete object[key];
  }
}

/** What coercing and defaulting read of a schema, as hashes. */
export interface SchemaShape {
  /** Equal for schemas to which coercing does the same; '' where it does nothing. */
  readonly shape: string;
  /** Equal where defaults are the same too; '' where neither does anything. */
  readonly content: string;
}

export function shapeOf(schema: Schema): SchemaShape {
  const found: string[] = [];
  const defaults: string[] = [];
  const seen = new Set<Schema>();
  const walk = (node: Schema, path: string): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.default !== undefined) defaults.push(`${path}=${JSON.stringify(node.default)}`);
    const {
      type,
      nullable,
      embeddedResource,
      preserveUnknownFields,
      properties,
      additionalProperties,
      items,
    } = node;
    const isOpen = type === undefined && node.intOrString !== true;
    const flags = [nullable, embeddedResource, preserveUnknownFields, isOpen, node.default !== undefined];
    found.push(`${path}:${flags.map((flag) => (flag === true ? 1 : 0)).join('')}`);
    for (const [name, child] of properties ?? []) {
      if (path !== '' || !isIdentity(name)) walk(child, `${path}.${JSON.stringify(name)}`);
    }
    if (additionalProperties !== undefined) walk(additionalProperties, `${path}.*`);
    if (items !== undefined) walk(items, `${path}[]`);
  };
  walk(schema, '');
  if (found.length === 1 && schema.preserveUnknownFields === true && defaults.length === 0) {
    return { shape: '', content: '' };
  }
  // The order of properties says nothing.
  const shape = hashOf(found.sort());
  return { shape, content: defaults.length === 0 ? shape : hashOf([shape, ...defaults.sort()]) };
}

function hashOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('base64url').slice(0, 8);
}

function isIdentity(key: string): boolean {
  return key === 'apiVersion' || key === 'kind' || key === 'metadata';
}
