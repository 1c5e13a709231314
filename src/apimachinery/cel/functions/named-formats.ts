import { dns1035Label, dns1123Label, dns1123Subdomain, labelKey, labelValue } from '../../names.ts';
import { hasStringFormat } from '../../schema-walk/formats.ts';
import { sizeOf } from '../sizes.ts';
import { opaqueNamed } from '../types.ts';
import { ArrayList, Opaque, Optional, type Value } from '../values.ts';
import { regexFactor, scaled, textFactor } from './costs.ts';
import type { CostModel, FunctionTable } from './registry.ts';

const formatType = opaqueNamed('kubernetes.NamedFormat');

class NamedFormat extends Opaque {
  readonly type = formatType;
  readonly name: string;
  /** What is wrong with a text; empty when nothing is. */
  readonly check: (text: string) => string[];
  readonly patternLength: number;

  constructor(name: string, patternLength: number, check: (text: string) => string[]) {
    super();
    this.name = name;
    this.check = check;
    this.patternLength = patternLength;
  }

  equals(other: Opaque): boolean {
    return this === other;
  }
}

/** A prefix, to which a generated end is added, may end in a dash. */
const prefix =
  (check: (text: string) => string[]) =>
  (text: string): string[] =>
    check(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const schemaFormat =
  (format: string, message: string) =>
  (text: string): string[] =>
    hasStringFormat(text, format) ? [] : [message];

const formats: ReadonlyMap<string, NamedFormat> = new Map(
  (
    [
      ['dns1123Label', 30, dns1123Label],
      ['dns1123Subdomain', 60, dns1123Subdomain],
      ['dns1035Label', 30, dns1035Label],
      ['qualifiedName', 60, labelKey],
      ['dns1123LabelPrefix', 30, prefix(dns1123Label)],
      ['dns1123SubdomainPrefix', 60, prefix(dns1123Subdomain)],
      ['dns1035LabelPrefix', 30, prefix(dns1035Label)],
      ['labelValue', 40, labelValue],
      ['uri', 1000, schemaFormat('uri', 'invalid URI for request')],
      ['uuid', 100, schemaFormat('uuid', 'does not match the UUID format')],
      ['byte', 100, schemaFormat('byte', 'invalid base64')],
      ['date', 200, schemaFormat('date', 'invalid date')],
      ['datetime', 200, schemaFormat('datetime', 'invalid datetime')],
    ] as const
  ).map(([name, length, check]) => [name, new NamedFormat(name, length, check)]),
);

/** What a format's expression is taken for, before it is known which (cel MaxNameFormatRegexSize). */
const patternLengthMax = 128;

const checking: CostModel = {
  run: ([format, text]) =>
    format instanceof NamedFormat
      ? Math.ceil((1 + sizeOf(text ?? null)) * textFactor) * Math.ceil(format.patternLength * regexFactor)
      : 1,
  estimate: ([, text]) => {
    const { min, max } = scaled(text?.size ?? { min: 0, max: Infinity }, textFactor);
    const perText = patternLengthMax * regexFactor;
    return { cost: { min: min * perText, max: max * perText }, size: { min: 0, max: 5 } };
  },
};

/** Kubernetes' named formats (apiserver/pkg/cel/library/format.go). */
export function addNamedFormats(table: FunctionTable): void {
  const type = 'kubernetes.NamedFormat';
  table
    .add([`format.named(string) optional(${type})`], ([name]) => {
      const format = formats.get(name as string);
      return format === undefined ? Optional.none : new Optional(format);
    })
    .add(
      [`${type}->validate(string) optional(list(string))`],
      ([format, text]): Value => {
        const wrong = (format as NamedFormat).check(text as string);
        return wrong.length === 0 ? Optional.none : new Optional(new ArrayList(wrong));
      },
      checking,
    );
  for (const [name, format] of formats) table.add([`format.${name}() ${type}`], () => format);
}
