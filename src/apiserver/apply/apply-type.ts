import { objectMetaSchema } from '#api/builtin/builtin-schema.ts';
import { emptyStruct } from '#api/builtin/go-types.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { fieldElement, keyElement, type PathElement, valueElement } from './path-element.ts';

/**
 * A Schema seen as structured-merge-diff sees types (KUBERNETES.md P6): what is owned as a whole, what member by
 * member. `deduced` takes its form from the value: objects granular, lists atomic (preserved unknown fields).
 */
export interface ApplyType {
  readonly form: 'scalar' | 'atomicList' | 'atomicMap' | 'map' | 'set' | 'keyedList' | 'deduced';
  readonly schema: Schema | undefined;
  /** Declared fields of a map. */
  readonly fields: ReadonlyMap<string, ApplyField> | undefined;
  /** Type of undeclared map members, or of list elements; undefined where none are allowed. */
  readonly element: ApplyType | undefined;
  readonly keys: readonly string[];
  readonly keyDefaults: readonly (JsonValue | undefined)[];
  /** Maps below take undeclared members: one above preserves unknown fields (kube-openapi schemaconv `visitSpec`). */
  readonly isOpen: boolean;
}

interface ApplyField {
  readonly path: PathElement;
  readonly type: ApplyType;
  /**
   * Whether Go's empty object of the kind has the field, so that filling it adds its members but not the field itself:
   * structs by value, and fields without omitempty. Counts only while all parents are structs by value.
   */
  readonly inEmptyObject: boolean;
  readonly byValue: boolean;
}

export const deduced: ApplyType = {
  form: 'deduced',
  schema: undefined,
  fields: undefined,
  element: undefined,
  keys: [],
  keyDefaults: [],
  isOpen: true,
};

const types = new WeakMap<Schema, ApplyType>();
const openTypes = new WeakMap<Schema, ApplyType>();
const rootTypes = new WeakMap<Schema, ApplyType>();

/** The type of whole objects of a kind: custom resources get ObjectMeta's rules for their metadata. */
export function rootTypeOf(schema: Schema): ApplyType {
  let type = rootTypes.get(schema);
  if (type === undefined) {
    type = makeRootType(schema);
    rootTypes.set(schema, type);
  }
  return type;
}

function makeRootType(schema: Schema): ApplyType {
  const metadata = schema.properties?.get('metadata');
  if (metadata?.properties?.has('labels') === true && schema.definition !== undefined)
    return typeOf(schema, false);
  const properties = new Map(schema.properties);
  properties.set('apiVersion', { type: 'string' });
  properties.set('kind', { type: 'string' });
  properties.set('metadata', objectMetaSchema());
  return makeType({ ...schema, type: 'object', properties }, false);
}

function typeOf(schema: Schema | undefined, isOpen: boolean): ApplyType {
  if (schema === undefined) return deduced;
  // A named type is the same wherever it stands.
  const known = isOpen && schema.definition === undefined ? openTypes : types;
  let type = known.get(schema);
  if (type === undefined) {
    type = makeType(schema, known === openTypes);
    known.set(schema, type);
  }
  return type;
}

/** Members are made when first asked for: schemas may be cyclic. */
class LazyType implements ApplyType {
  readonly form: ApplyType['form'];
  readonly schema: Schema;
  readonly keys: readonly string[];
  readonly isOpen: boolean;
  private madeFields: ReadonlyMap<string, ApplyField> | undefined;
  private madeElement: ApplyType | undefined;
  private madeDefaults: readonly (JsonValue | undefined)[] | undefined;

  constructor(form: ApplyType['form'], schema: Schema, isOpen: boolean) {
    this.form = form;
    this.schema = schema;
    this.isOpen = isOpen || schema.preserveUnknownFields === true;
    this.keys = form === 'keyedList' ? [...(schema.listMapKeys ?? [])].sort() : [];
  }

  get fields(): ReadonlyMap<string, ApplyField> | undefined {
    const { properties, embeddedResource } = this.schema;
    if (this.madeFields === undefined && this.form === 'map') {
      if (properties !== undefined || embeddedResource === true)
        this.madeFields = fieldsOf(this.schema, this.isOpen);
    }
    return this.madeFields;
  }

  get element(): ApplyType | undefined {
    this.madeElement ??= elementOf(this.form, this.schema, this.isOpen);
    return this.madeElement;
  }

  get keyDefaults(): readonly (JsonValue | undefined)[] {
    this.madeDefaults ??= this.keys.map((key) => keyDefault(this.schema.items, key));
    return this.madeDefaults;
  }
}

function makeType(schema: Schema, isOpen: boolean): ApplyType {
  const form = formOf(schema);
  return form === 'deduced' ? deduced : new LazyType(form, schema, isOpen);
}

/** Raw JSON to Go: owned as a whole (client-go's schema of applied types). */
const rawExtension = 'io.k8s.apimachinery.pkg.runtime.RawExtension';

function formOf(schema: Schema): ApplyType['form'] {
  if (schema.definition === rawExtension) return 'atomicMap';
  // A custom kind's says no type in OpenAPI.
  if (schema.intOrString === true) return schema.definition === undefined ? 'deduced' : 'scalar';
  switch (schema.type) {
    case 'object':
      return schema.mapType === 'atomic' ? 'atomicMap' : 'map';
    case 'array':
      if (schema.listType === 'set') return 'set';
      if (schema.listType === 'map') return 'keyedList';
      return 'atomicList';
    case undefined:
      // Quantity reads text and numbers; a value of any other open type takes its own form.
      return schema.validation?.anyOf?.every((one) => one.type === 'string' || one.type === 'number') === true
        ? 'scalar'
        : 'deduced';
    default:
      return 'scalar';
  }
}

/** What an embedded resource has besides, as OpenAPI tells of it (apiextensions builder.addEmbeddedProperties). */
function addEmbeddedFields(fields: Map<string, ApplyField>): void {
  const members: readonly (readonly [string, Schema])[] = [
    ['apiVersion', { type: 'string' }],
    ['kind', { type: 'string' }],
    ['metadata', objectMetaSchema()],
  ];
  for (const [name, property] of members) {
    fields.set(name, {
      path: fieldElement(name),
      type: typeOf(property, false),
      byValue: false,
      inEmptyObject: false,
    });
  }
}

function fieldsOf(schema: Schema, isOpen: boolean): ReadonlyMap<string, ApplyField> {
  const fields = new Map<string, ApplyField>();
  const empty = schema.definition === undefined ? undefined : emptyStruct(schema.definition);
  for (const [name, property] of schema.properties ?? []) {
    const byValue = empty?.structs?.includes(name) === true;
    fields.set(name, {
      path: fieldElement(name),
      type: typeOf(property, isOpen),
      byValue,
      inEmptyObject: byValue || empty?.printed?.includes(name) === true,
    });
  }
  if (schema.embeddedResource === true) addEmbeddedFields(fields);
  return fields;
}

function elementOf(form: ApplyType['form'], schema: Schema, isOpen: boolean): ApplyType | undefined {
  if (form === 'set' || form === 'keyedList') return typeOf(schema.items, isOpen);
  if (form !== 'map') return undefined;
  if (schema.additionalProperties !== undefined) return typeOf(schema.additionalProperties, isOpen);
  const isEmpty = (schema.properties?.size ?? 0) === 0 && schema.embeddedResource !== true;
  return isOpen || isEmpty ? deduced : undefined;
}

const protocolDefaults = new Set(['io.k8s.api.core.v1.ContainerPort', 'io.k8s.api.core.v1.ServicePort']);
const localReference = 'io.k8s.api.core.v1.LocalObjectReference';

/**
 * The default of a key field, which elements may leave out: Kubernetes publishes `protocol: TCP`, a reference's `name: ""`,
 * and the zero value of whatever a built-in kind requires.
 */
function keyDefault(items: Schema | undefined, key: string): JsonValue | undefined {
  const property = items?.properties?.get(key);
  if (property?.default !== undefined) return property.default;
  const definition = items?.definition ?? '';
  if (key === 'name' && definition === localReference) return '';
  if (key === 'protocol' && protocolDefaults.has(definition)) return 'TCP';
  if (!definition.startsWith('io.k8s.') || items?.required?.includes(key) !== true) return undefined;
  return property?.type === 'integer' ? 0 : '';
}

/** The type of one member of a map; undefined when the schema declares none of that name and allows no others. */
export function memberType(type: ApplyType, name: string): ApplyType | undefined {
  if (type.form === 'deduced') return deduced;
  return type.fields?.get(name)?.type ?? type.element;
}

/** Like memberType, but also for what lies inside an atomic map, whose members are checked though never owned. */
export function insideMember(type: ApplyType, name: string): ApplyType | undefined {
  if (type.form !== 'atomicMap') return memberType(type, name);
  const property = type.schema?.properties?.get(name);
  return property === undefined
    ? elementOf('map', type.schema ?? {}, type.isOpen)
    : typeOf(property, type.isOpen);
}

/** The type of the elements of a list of any kind. */
export function insideElement(type: ApplyType): ApplyType | undefined {
  return type.form === 'atomicList' ? typeOf(type.schema?.items, type.isOpen) : type.element;
}

export function memberPath(type: ApplyType, name: string): PathElement {
  return type.fields?.get(name)?.path ?? fieldElement(name);
}

/** How a value of this type is owned; the form of a deduced type, and of a value that does not fit its type. */
export function formFor(type: ApplyType, value: JsonValue): 'leaf' | 'map' | 'list' {
  switch (type.form) {
    case 'map':
      return isJsonObject(value) ? 'map' : 'leaf';
    case 'set':
    case 'keyedList':
      return Array.isArray(value) ? 'list' : 'leaf';
    case 'deduced':
      return isJsonObject(value) ? 'map' : 'leaf';
    default:
      return 'leaf';
  }
}

/** The path element of one element of a set or keyed list, or a text that says why it has none. */
export function elementPath(
  type: ApplyType,
  item: JsonValue,
): { readonly path: PathElement } | { readonly error: string } {
  return type.form === 'set' ? setElementPath(item) : keyedElementPath(type, item);
}

function setElementPath(item: JsonValue): { readonly path: PathElement } | { readonly error: string } {
  if (item === null) return { error: "associative list without keys has an element that's an explicit null" };
  if (Array.isArray(item)) return { error: 'not supported: associative list with lists as elements' };
  if (typeof item === 'object') {
    return { error: "associative list without keys has an element that's a map type" };
  }
  return { path: valueElement(item) };
}

function keyedElementPath(
  type: ApplyType,
  item: JsonValue,
): { readonly path: PathElement } | { readonly error: string } {
  if (item === null) return { error: 'associative list with keys may not have a null element' };
  if (!isJsonObject(item)) return { error: 'associative list with keys may not have non-map elements' };
  const path = keyPath(type, item);
  if (path !== undefined) return { path };
  const keys = type.schema?.listMapKeys ?? [];
  return {
    error: `associative list with keys has an element that omits all key fields ${goList(keys)} (and doesn't have default values for any key fields)`,
  };
}

/** Undefined when the element has none of its keys: keys that it leaves out alone are left out of the path too. */
function keyPath(type: ApplyType, item: JsonObject): PathElement | undefined {
  const names: string[] = [];
  const values: JsonValue[] = [];
  for (let i = 0; i < type.keys.length; i++) {
    const name = type.keys[i] as string;
    // A null is a key like any other.
    const value = Object.hasOwn(item, name) ? item[name] : type.keyDefaults[i];
    if (value === undefined) continue;
    names.push(name);
    values.push(value);
  }
  return names.length === 0 ? undefined : keyElement(names, values);
}

function goList(names: readonly string[]): string {
  return `[${names.map((name) => JSON.stringify(name)).join(' ')}]`;
}
