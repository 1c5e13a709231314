export type TypeKind =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'list'
  | 'map'
  | 'type'
  | 'optional'
  | 'object'
  | 'opaque'
  | 'param';

/** A static type of the checker; as a value it is what `type(x)` gives. */
export class CelType {
  readonly kind: TypeKind;
  readonly name: string;
  readonly params: readonly CelType[];
  /** Of objects: their fields. */
  readonly decl: Decl | undefined;

  constructor(kind: TypeKind, name: string, params: readonly CelType[] = [], decl?: Decl) {
    this.kind = kind;
    this.name = name;
    this.params = params;
    this.decl = decl;
  }

  toString(): string {
    return this.params.length === 0 ? this.name : `${this.name}(${this.params.join(', ')})`;
  }
}

/** Formats of a schema whose texts expressions see as values of another type. */
export type TextFormat = 'byte' | 'duration' | 'date' | 'date-time';

export interface DeclField {
  readonly jsonName: string;
  readonly decl: Decl;
}

/** What a structural schema declares to expressions (Kubernetes' DeclType): a type, and the sizes that costs need. */
export interface Decl {
  readonly kind: 'object' | 'map' | 'list' | 'scalar' | 'double' | 'dyn';
  readonly type: CelType;
  /** Of a list its items, of a map its values. */
  readonly element?: Decl | undefined;
  /** Of an object, by their names in expressions. */
  readonly fields?: ReadonlyMap<string, DeclField> | undefined;
  /** The most elements, entries or bytes that a value can have; 0 for what Kubernetes does not count. */
  readonly maxElements: number;
  /** Bytes of the shortest JSON. */
  readonly minBytes: number;
  readonly listType?: 'set' | 'map' | undefined;
  readonly listMapKeys?: readonly string[] | undefined;
  /** Of strings that expressions see as something else. */
  readonly format?: TextFormat | undefined;
}

export const dynType = new CelType('dyn', 'dyn');
export const errorType = new CelType('error', '!error!');
export const nullType = new CelType('null', 'null_type');
export const boolType = new CelType('bool', 'bool');
export const intType = new CelType('int', 'int');
export const uintType = new CelType('uint', 'uint');
export const doubleType = new CelType('double', 'double');
export const stringType = new CelType('string', 'string');
export const bytesType = new CelType('bytes', 'bytes');
export const timestampType = new CelType('timestamp', 'google.protobuf.Timestamp');
export const durationType = new CelType('duration', 'google.protobuf.Duration');
/** Without parameters, as values: what `type([1])`, `type({})` give. */
export const listType = new CelType('list', 'list');
export const mapType = new CelType('map', 'map');
export const typeType = new CelType('type', 'type');
export const optionalType = new CelType('optional', 'optional_type');

export const listOf = (element: CelType): CelType => new CelType('list', 'list', [element]);
export const mapOf = (key: CelType, value: CelType): CelType => new CelType('map', 'map', [key, value]);
export const typeOfType = (type: CelType): CelType => new CelType('type', 'type', [type]);
export const optionalOf = (type: CelType): CelType => new CelType('optional', 'optional_type', [type]);
export const opaque = (name: string): CelType => new CelType('opaque', name);

const opaques = new Map<string, CelType>();

/** The one type object of an opaque type. */
export function opaqueNamed(name: string): CelType {
  let type = opaques.get(name);
  if (type === undefined) {
    type = opaque(name);
    opaques.set(name, type);
  }
  return type;
}
