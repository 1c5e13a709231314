import type { JsonObject, JsonValue } from './json.ts';

/**
 * The one form of a structural schema that everything in the project reads: validation, defaulting, pruning, patches,
 * server-side apply, OpenAPI. Built-in kinds' schemas are made from the catalogue, custom ones from their CRD.
 * Immutable and shared (by content hash) over all workspaces; cyclic through `properties`/`items` for recursive types
 * (JSONSchemaProps), so walkers follow the data, never the schema alone.
 */
export interface Schema {
  /** Absent = any JSON value. */
  readonly type?: SchemaType | undefined;
  /** The definition's name in OpenAPI (`io.k8s.api.apps.v1.DeploymentSpec`) when it is a named one. */
  readonly definition?: string | undefined;
  readonly description?: string | undefined;
  /** What OpenAPI tells beside it. */
  readonly prose?: SchemaProse | undefined;
  readonly properties?: ReadonlyMap<string, Schema> | undefined;
  /** Values of a map. Absent with type object and no properties: see `preserveUnknownFields`. */
  readonly additionalProperties?: Schema | undefined;
  readonly items?: Schema | undefined;
  readonly required?: readonly string[] | undefined;
  /** Of those, what nobody asks for: what its absence comes to is told otherwise. */
  readonly unasked?: readonly string[] | undefined;
  readonly nullable?: boolean | undefined;
  readonly default?: JsonValue | undefined;
  readonly intOrString?: boolean | undefined;
  /** `anyOf: [{type: integer}, {type: string}]` beside intOrString says the same once more: it counts for messages alone. */
  readonly repeatsTypes?: boolean | undefined;
  readonly preserveUnknownFields?: boolean | undefined;
  readonly embeddedResource?: boolean | undefined;
  /** KUBERNETES.md P6; absent means atomic for lists and granular for maps. */
  readonly listType?: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys?: readonly string[] | undefined;
  readonly mapType?: 'atomic' | 'granular' | undefined;
  /** Strategic merge patch (P2): comma-separated `merge`, `replace`, `retainKeys`. */
  readonly patchStrategy?: string | undefined;
  readonly patchMergeKey?: string | undefined;
  readonly validation?: ValueValidation | undefined;
  /** x-kubernetes-validations, kept for serving back; evaluated by the CEL engine when there is one. */
  readonly celRules?: readonly CelRule[] | undefined;
}

export interface SchemaProse {
  readonly title?: string | undefined;
  readonly externalDocs?: JsonObject | undefined;
  readonly example?: JsonValue | undefined;
}

export type SchemaType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';

/** JSON-schema value validations; `allOf` and the like may hold further ones on nested fields. */
export interface ValueValidation {
  readonly format?: string | undefined;
  readonly enum?: readonly JsonValue[] | undefined;
  readonly pattern?: string | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: boolean | undefined;
  readonly exclusiveMaximum?: boolean | undefined;
  readonly multipleOf?: number | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly uniqueItems?: boolean | undefined;
  readonly minProperties?: number | undefined;
  readonly maxProperties?: number | undefined;
  readonly allOf?: readonly Schema[] | undefined;
  readonly anyOf?: readonly Schema[] | undefined;
  readonly oneOf?: readonly Schema[] | undefined;
  readonly not?: Schema | undefined;
}

export interface CelRule {
  readonly rule: string;
  readonly message?: string | undefined;
  readonly messageExpression?: string | undefined;
  readonly reason?: string | undefined;
  readonly fieldPath?: string | undefined;
  readonly optionalOldSelf?: boolean | undefined;
}
