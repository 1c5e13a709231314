import type { StructType } from './environment.ts';
import type { Code, Frame } from './frame.ts';
import {
  ArrayList,
  CelFault,
  NativeMap,
  noOverload,
  Optional,
  unsupportedKeyType,
  type Value,
} from './values.ts';

const listCost = 10;
const mapCost = 30;
const structCost = 40;

/** What stands in a literal: left out where it is optional and there is nothing. */
interface PartCode {
  readonly code: Code;
  readonly isOptional: boolean;
}

interface EntryCode {
  readonly key: Code;
  readonly value: Code;
  readonly isOptional: boolean;
}

interface FieldCode extends PartCode {
  readonly name: string;
}

export function listCode(elements: readonly PartCode[]): Code {
  return (frame) => {
    frame.spend(listCost);
    const values: Value[] = [];
    for (const { code, isOptional } of elements) {
      const value = code(frame);
      if (value instanceof CelFault) return value;
      if (!isOptional) values.push(value);
      else if (!(value instanceof Optional)) return noOverload;
      else if (value.value !== undefined) values.push(value.value);
    }
    return new ArrayList(values);
  };
}

/** Of equal keys the last one holds, and takes the others away where there is nothing (cel-go interpreter/interpretable.go, evalMap). */
export function mapCode(entries: readonly EntryCode[]): Code {
  return (frame: Frame): Value => {
    frame.spend(mapCost);
    const map = new NativeMap();
    for (const entry of entries) {
      const key = entry.key(frame);
      if (key instanceof CelFault) return key;
      let value = entry.value(frame);
      if (value instanceof CelFault) return value;
      if (entry.isOptional) {
        if (!(value instanceof Optional)) return noOverload;
        if (value.value === undefined) {
          map.delete(key);
          continue;
        }
        value = value.value;
      }
      if (map.set(key, value) === undefined) return unsupportedKeyType;
    }
    return map;
  };
}

export function structCode(fields: readonly FieldCode[], struct: StructType): Code {
  return (frame) => {
    frame.spend(structCost);
    const values = new Map<string, Value>();
    for (const { name, code, isOptional } of fields) {
      const value = code(frame);
      if (value instanceof CelFault) return value;
      if (!isOptional) values.set(name, value);
      else if (!(value instanceof Optional)) return noOverload;
      else if (value.value !== undefined) values.set(name, value.value);
      else values.delete(name);
    }
    return struct.make(values);
  };
}
