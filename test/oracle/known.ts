import { isJsonObject } from '#apimachinery/json.ts';
import type { Difference } from './differences.ts';
import { knownOfAdmission } from './known-admission.ts';
import { knownOfApplied } from './known-applied.ts';
import { knownOfBodies } from './known-bodies.ts';
import { knownOfCertificates } from './known-certificates.ts';
import { knownOfCustomKinds } from './known-custom.ts';
import { knownOfDefinitions } from './known-definitions.ts';
import { type Exchange, isAbsent, type KnownDifference } from './known-difference.ts';
import { knownOfExpressions } from './known-expressions.ts';
import { knownOfFaults } from './known-faults.ts';
import { knownOfKinds } from './known-kinds.ts';
import { knownOfOwnedFields } from './known-owned-fields.ts';
import { knownOfQueries } from './known-queries.ts';
import { knownOfRights } from './known-rights.ts';

const ends = (difference: Difference, ...segments: readonly string[]) =>
  segments.every((segment, at) => difference.path.at(at - segments.length) === segment);

/** Of whatever is asked. */
const knownOfAll: readonly KnownDifference[] = [
  {
    row: 'every object of a workspace',
    explains: (difference) =>
      isAbsent(difference.oracle) &&
      (ends(difference, 'annotations', 'kcp.io/cluster') ||
        (ends(difference, 'annotations') &&
          isJsonObject(difference.ours) &&
          Object.keys(difference.ours).join() === 'kcp.io/cluster')),
  },
  {
    row: undefined, // a name that each server makes up itself
    explains: ({ oracle, ours }, { request }) => {
      const given = /"generateName":"((?:[^"\\]|\\.)+)"/.exec(String(request.body))?.[1];
      if (given === undefined || typeof oracle !== 'string' || typeof ours !== 'string') return false;
      const made = (text: string) =>
        text
          .split(given)
          .map((part) => part.replace(/^[bcdfghjklmnpqrstvwxz2456789]{5}/, '<chance>'))
          .join(given);
      return made(oracle) === made(ours);
    },
  },
  {
    row: undefined, // documents about each server: its keys, its version, its groups
    explains: ({ path }, { request, oracle, ours }) =>
      (path[0] === 'body' || (path[0] === 'header' && request.path !== '/openid/v1/jwks')) &&
      oracle.status === 200 &&
      ours.status === 200 &&
      /^\/(?:\.well-known\/.*|openid\/.*|openapi\/v3|version\/?|api\/?|apis\/?)?$/.test(request.path),
  },
];

export const knownDifferences: readonly KnownDifference[] = [
  ...knownOfApplied,
  ...knownOfCustomKinds,
  ...knownOfExpressions,
  ...knownOfOwnedFields,
  ...knownOfCertificates,
  ...knownOfKinds,
  ...knownOfFaults,
  ...knownOfQueries,
  ...knownOfBodies,
  ...knownOfAdmission,
  ...knownOfDefinitions,
  ...knownOfRights,
  ...knownOfAll,
];

export interface Explained {
  /** Those that no known difference explains. */
  readonly left: readonly Difference[];
  /** Whether what the two store differs from here on. */
  readonly isParted: boolean;
}

export function explained(
  differences: readonly Difference[],
  exchange: Exchange,
  known: readonly KnownDifference[] = knownDifferences,
): Explained {
  const left: Difference[] = [];
  let isParted = false;
  for (const one of differences) {
    const found = known.find(({ explains }) => explains(one, exchange));
    if (found === undefined) left.push(one);
    else if (found.parts === true) isParted = true;
  }
  return { left, isParted };
}
