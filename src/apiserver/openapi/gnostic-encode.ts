import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { ProtoWriter } from './proto-writer.ts';

/**
 * How gnostic's messages mirror a JSON document: for each JSON member, its field number and what stands there.
 * `any` is a value as YAML text (JSON is YAML); `named X` a JSON map as a message of repeated {name, value} pairs;
 * `[]X` a list; `x` a message of that name, whose `choose` may wrap it in a oneof.
 */
export interface MessageTable {
  readonly [message: string]: Message;
}

export interface Message {
  readonly fields: { readonly [member: string]: readonly [number: number, type: string] };
  /** Field that takes all members beginning with `x-`, as repeated NamedAny. */
  readonly extensions?: number | undefined;
  /** Fields that take all other members as repeated {name, value} pairs of this type. */
  readonly rest?: readonly [number: number, type: string] | undefined;
}

/** A type that is a oneof: picks field number and inner type by the value. */
export interface Wrappers {
  readonly [type: string]: (value: JsonValue) => readonly [number: number, type: string] | undefined;
}

export class GnosticEncoder {
  private readonly messages: MessageTable;
  private readonly wrappers: Wrappers;
  private readonly writer: ProtoWriter;

  constructor(messages: MessageTable, wrappers: Wrappers, writer: ProtoWriter) {
    this.messages = messages;
    this.wrappers = wrappers;
    this.writer = writer;
  }

  /** Writes the members of one message of this type into the writer. */
  message(type: string, value: JsonObject): void {
    const message = this.messages[type];
    if (message === undefined) throw new RangeError(`no message ${type}`);
    for (const member in value) {
      const child = value[member];
      if (child === undefined) continue;
      // A schema may have properties named as what every JavaScript object inherits.
      const field = Object.hasOwn(message.fields, member) ? message.fields[member] : undefined;
      if (field !== undefined) this.field(field[0], field[1], child);
      else if (message.extensions !== undefined && member.startsWith('x-')) {
        this.pair(message.extensions, member, 'any', child);
      } else if (message.rest !== undefined) this.pair(message.rest[0], member, message.rest[1], child);
      // Anything else has no place in gnostic's form and is left out, as gnostic itself does.
    }
  }

  /** One {name, value} pair, the form of every map. */
  pair(field: number, name: string, type: string, value: JsonValue): void {
    this.writer.message(field, () => {
      this.writer.string(1, name);
      this.field(2, type, value);
    });
  }

  field(field: number, type: string, value: JsonValue): void {
    if (type.startsWith('[]')) {
      if (!Array.isArray(value)) return;
      for (const item of value) this.field(field, type.slice(2), item);
      return;
    }
    switch (type) {
      case 'string':
        if (typeof value === 'string') this.writer.string(field, value);
        return;
      case 'bool':
        if (value === true) this.writer.bool(field, true);
        return;
      case 'double':
        if (typeof value === 'number') this.writer.double(field, value);
        return;
      case 'int64':
        if (typeof value === 'number') this.writer.int64(field, value);
        return;
      case 'any':
        this.writer.message(field, () => this.writer.string(2, JSON.stringify(value)));
        return;
      case 'strings':
        this.writer.message(field, () => this.field(1, '[]string', Array.isArray(value) ? value : [value]));
        return;
      default:
        this.nested(field, type, value);
    }
  }

  private nested(field: number, type: string, value: JsonValue): void {
    const wrap = this.wrappers[type];
    if (wrap === undefined) {
      if (isJsonObject(value)) this.writer.message(field, () => this.message(type, value));
      return;
    }
    const inner = wrap(value);
    if (inner === undefined) return;
    this.writer.message(field, () => this.choice(inner[0], inner[1], value));
  }

  /** A member of a oneof is written even when it holds the zero value. */
  private choice(field: number, type: string, value: JsonValue): void {
    if (type === 'bool') this.writer.bool(field, value === true);
    else this.field(field, type, value);
  }
}
