import { equalJson, type JsonValue } from '../json.ts';
import type { Schema, SchemaType, ValueValidation } from '../schema.ts';

/** Rules of the two sorts that Kubernetes' own kinds have; all others take the ordinary way. */
export interface SimpleRules {
  readonly format: string | undefined;
  readonly types: readonly SchemaType[] | undefined;
  /** Text or number alone does not make one. */
  readonly isQuantity: boolean;
}

/**
 * A Schema in the form that the walkers read: children by direct reference, flags decided once. Made lazily, node by
 * node as data reaches them, since schemas are cyclic and most of a large one is never used.
 */
export class CompiledSchema {
  readonly schema: Schema;
  readonly type: SchemaType | undefined;
  readonly nullable: boolean;
  readonly intOrString: boolean;
  readonly embeddedResource: boolean;
  /** Unknown fields stay: asked for, or the schema says nothing about the value at all. */
  readonly keepsUnknown: boolean;
  readonly hasDefault: boolean;
  readonly default: JsonValue | undefined;
  readonly required: readonly string[] | undefined;
  readonly validation: ValueValidation | undefined;
  readonly listType: 'set' | 'map' | undefined;
  readonly listMapKeys: readonly string[];
  /** Part of a Kubernetes type, whose lists Kubernetes does not check for repeated keys on ordinary writes. */
  readonly isKubernetesType: boolean;
  /** One of Kubernetes' unions of a schema and a plain value: it decodes itself, and nobody is told what it passes over. */
  readonly isUnion: boolean;
  properties: Map<string, CompiledSchema> | undefined;
  additional: CompiledSchema | undefined;
  items: CompiledSchema | undefined;
  /** Properties with defaults. */
  defaulted: readonly (readonly [string, JsonValue])[] | undefined;
  allOf: readonly CompiledSchema[] | undefined;
  anyOf: readonly CompiledSchema[] | undefined;
  oneOf: readonly CompiledSchema[] | undefined;
  not: CompiledSchema | undefined;
  /** Made when a value is first asked whether it fits (fits.ts). */
  simpleRules: SimpleRules | 'others' | undefined;
  #opened = false;

  constructor(schema: Schema) {
    this.schema = schema;
    this.type = schema.type;
    this.nullable = schema.nullable === true;
    this.intOrString = schema.intOrString === true;
    this.embeddedResource = schema.embeddedResource === true;
    this.keepsUnknown =
      schema.preserveUnknownFields === true ||
      (schema.type === undefined &&
        !this.intOrString &&
        schema.properties === undefined &&
        schema.additionalProperties === undefined &&
        schema.items === undefined);
    this.hasDefault = schema.default !== undefined;
    this.default = schema.default;
    const { unasked = [] } = schema;
    const required = schema.required?.filter((name) => !unasked.includes(name));
    this.required = required?.length === 0 ? undefined : required;
    this.validation = hasRules(schema.validation) ? schema.validation : undefined;
    this.listType = schema.listType === 'atomic' ? undefined : schema.listType;
    this.listMapKeys = schema.listMapKeys ?? [];
    this.isKubernetesType = schema.definition?.startsWith('io.k8s.') === true;
    this.isUnion = this.isKubernetesType && schema.type === undefined && schema.properties !== undefined;
    this.properties = undefined;
    this.additional = undefined;
    this.items = undefined;
    this.defaulted = undefined;
    this.allOf = undefined;
    this.anyOf = undefined;
    this.oneOf = undefined;
    this.not = undefined;
    this.simpleRules = undefined;
  }

  /** Makes the children's shells. To be called before any of them is read. */
  open(): this {
    if (this.#opened) return this;
    this.#opened = true;
    const { schema } = this;
    if (schema.properties !== undefined) {
      this.properties = new Map();
      const defaulted: [string, JsonValue][] = [];
      for (const [name, child] of schema.properties) {
        this.properties.set(name, compiled(child));
        if (child.default !== undefined) defaulted.push([name, child.default]);
      }
      if (defaulted.length > 0) this.defaulted = defaulted;
    }
    if (schema.additionalProperties !== undefined) this.additional = compiled(schema.additionalProperties);
    if (schema.items !== undefined) this.items = compiled(schema.items);
    const validation = schema.validation;
    if (validation !== undefined) {
      if (nonEmpty(validation.allOf)) this.allOf = validation.allOf.map(compiled);
      if (nonEmpty(validation.anyOf)) this.anyOf = validation.anyOf.map(compiled);
      if (nonEmpty(validation.oneOf)) this.oneOf = validation.oneOf.map(compiled);
      if (validation.not !== undefined) this.not = compiled(validation.not);
    }
    return this;
  }
}

function nonEmpty<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}

function hasRules(validation: ValueValidation | undefined): boolean {
  return validation !== undefined && !equalJson(validation as { [key: string]: JsonValue }, {});
}

const cache = new WeakMap<Schema, CompiledSchema>();

/** The compiled form of a schema, made once for each Schema object and dropped with it. */
export function compiled(schema: Schema): CompiledSchema {
  let node = cache.get(schema);
  if (node === undefined) {
    node = new CompiledSchema(schema);
    cache.set(schema, node);
  }
  return node;
}
