import { JsonMap } from './json-values.ts';
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeType,
  uintType,
} from './types.ts';
import { CelList, CelMap, Duration, Opaque, Optional, Timestamp, Uint, type Value } from './values.ts';

/** What `type(x)` gives. */
export function typeOf(value: Value): CelType {
  if (value === null) return nullType;
  switch (typeof value) {
    case 'boolean':
      return boolType;
    case 'bigint':
      return intType;
    case 'number':
      return doubleType;
    case 'string':
      return stringType;
  }
  if (value instanceof Uint) return uintType;
  if (value instanceof CelList) return listType;
  if (value instanceof JsonMap && value.decl?.kind === 'object') return value.decl.type;
  if (value instanceof CelMap) return mapType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Optional) return optionalType;
  if (value instanceof CelType) return typeType;
  if (value instanceof Opaque) return value.type;
  return nullType;
}
