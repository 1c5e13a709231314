import { opaqueNamed } from '../types.ts';
import { CelFault, Opaque, type Value } from '../values.ts';
import { traversal } from './costs.ts';
import type { FunctionTable } from './registry.ts';

const semverType = opaqueNamed('kubernetes.Semver');

class Semver extends Opaque {
  readonly type = semverType;
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];

  constructor(numbers: readonly [bigint, bigint, bigint], prerelease: readonly string[]) {
    super();
    this.numbers = numbers;
    this.prerelease = prerelease;
  }

  equals(other: Opaque): boolean {
    return other instanceof Semver && this.compare(other) === 0;
  }

  /** Precedence of semver.org, section 11; build metadata does not count. */
  compare(other: Semver): number {
    for (const index of [0, 1, 2] as const) {
      const order = compareNumbers(this.numbers[index], other.numbers[index]);
      if (order !== 0) return order;
    }
    const [a, b] = [this.prerelease, other.prerelease];
    if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const order = compareIdentifiers(a[i] as string, b[i] as string);
      if (order !== 0) return order;
    }
    return Math.sign(a.length - b.length);
  }
}

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA && isNumberB) return compareNumbers(BigInt(a), BigInt(b));
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

const number = '(0|[1-9]\\d{0,18})';
const prereleasePart = '(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const pattern = new RegExp(
  `^${number}\\.${number}\\.${number}(?:-(${prereleasePart}(?:\\.${prereleasePart})*))?(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$`,
);

function parse(text: string): Semver | undefined {
  const parts = text.length > 1024 ? null : pattern.exec(text);
  if (parts === null) return undefined;
  const [, major, minor, patch, prerelease] = parts as unknown as [
    string,
    string,
    string,
    string,
    string | undefined,
  ];
  return new Semver([BigInt(major), BigInt(minor), BigInt(patch)], prerelease?.split('.') ?? []);
}

/** Takes a `v` before and zeros before each number, adds what is missing of minor and patch. */
function normalize(text: string): string | undefined {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const parts = [
    major,
    ...(minor === undefined ? [] : [minor]),
    ...(rest.length > 0 ? [rest.join('.')] : []),
  ];
  const plain = parts.map((part) => {
    const stripped = part.length > 1 ? part.replace(/^0+/, '') : part;
    return part.length > 1 && !/^\d/.test(stripped) ? `0${stripped}` : stripped;
  });
  if (plain.length < 3 && /[+-]/.test(plain.at(-1) as string)) return undefined;
  while (plain.length < 3) plain.push('0');
  return plain.join('.');
}

function semverOf(text: string, normalizes: boolean): Semver | undefined {
  if (!normalizes) return parse(text);
  const plain = normalize(text);
  return plain === undefined ? undefined : parse(plain);
}

/** Kubernetes' semantic versions (apiserver/pkg/cel/library/semverlib.go). */
export function addSemver(table: FunctionTable): void {
  const type = 'kubernetes.Semver';
  const compare = ([a, b]: readonly Value[]): number => (a as Semver).compare(b as Semver);
  table
    .add(
      [`semver(string) ${type}`, `semver(string, bool) ${type}`],
      ([text, normalizes]) =>
        semverOf(text as string, normalizes === true) ??
        new CelFault(`invalid semantic version ${JSON.stringify(text)}`),
      traversal(0),
    )
    .add(
      ['isSemver(string) bool', 'isSemver(string, bool) bool'],
      ([text, normalizes]) => semverOf(text as string, normalizes === true) !== undefined,
      traversal(0),
    )
    .add([`${type}->isGreaterThan(${type}) bool`], (args) => compare(args) > 0)
    .add([`${type}->isLessThan(${type}) bool`], (args) => compare(args) < 0)
    .add([`${type}->compareTo(${type}) int`], (args) => BigInt(compare(args)))
    .add([`${type}->major() int`], ([version]) => (version as Semver).numbers[0])
    .add([`${type}->minor() int`], ([version]) => (version as Semver).numbers[1])
    .add([`${type}->patch() int`], ([version]) => (version as Semver).numbers[2]);
}
