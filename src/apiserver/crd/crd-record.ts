import { LRUCache } from 'lru-cache';
import { type CrdNames, hasCondition, namesOf, specOf, statusOf, textOf } from '#api/apiextensions/crd.ts';
import { definitionFromCrd } from '#api/apiextensions/definition-from-crd.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { nextCrdStatus, type TakenNames } from './crd-status.ts';

/** What is kept of one stored CRD. Names and definitions are shared over workspaces, so that a record is small. */
export interface CrdRecord {
  readonly name: string;
  readonly group: string;
  readonly requested: CrdNames;
  /** Plural and kind are empty while nothing is accepted. */
  readonly accepted: CrdNames;
  readonly namesAccepted: boolean;
  readonly established: boolean;
  /** Its conditions and names are what they should be, as long as no other CRD is in the way of its names. */
  readonly settled: boolean;
  /** Somebody asked for its deletion. */
  readonly deleting: boolean;
  /** What it serves; undefined until it is established. */
  readonly definition: ResourceDefinition | undefined;
}

const sharedNames = new LRUCache<string, CrdNames>({ max: 10_000 });

const nothingTaken: TakenNames = { resources: new Set(), kinds: new Set() };

function shareNames(names: CrdNames): CrdNames {
  const key = JSON.stringify(names);
  const present = sharedNames.get(key);
  if (present !== undefined) return present;
  sharedNames.set(key, names);
  return names;
}

export function crdRecordOf(crd: KubeObject): CrdRecord {
  const established = hasCondition(crd, 'Established');
  return {
    name: crd.metadata.name ?? '',
    group: textOf(specOf(crd)['group']),
    requested: shareNames(namesOf(specOf(crd)['names'])),
    accepted: shareNames(namesOf(statusOf(crd)['acceptedNames'])),
    namesAccepted: hasCondition(crd, 'NamesAccepted'),
    established,
    settled: nextCrdStatus(crd, nothingTaken, '') === undefined,
    deleting: crd.metadata.deletionTimestamp !== undefined,
    definition: established ? definitionFromCrd(crd) : undefined,
  };
}
