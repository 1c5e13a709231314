interface VersionParts {
  readonly stage: number;
  readonly major: number;
  readonly minor: number;
}

function partsOf(version: string): VersionParts | undefined {
  const match = /^v(\d{1,9})(?:(alpha|beta)(\d{1,9}))?$/.exec(version);
  if (match === null) return undefined;
  const stage = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return { stage, major: Number(match[1]), minor: Number(match[3] ?? 0) };
}

/**
 * Orders versions by preference, the preferred first (apimachinery version.CompareKubeAwareVersionStrings): `v10`, `v2`,
 * `v1`, `v2beta1`, `v1alpha3`, then all others alphabetically.
 */
export function compareKubeVersions(a: string, b: string): number {
  const left = partsOf(a);
  const right = partsOf(b);
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1;
    if (right !== undefined) return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return right.stage - left.stage || right.major - left.major || right.minor - left.minor;
}
