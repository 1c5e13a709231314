import { LRUCache } from 'lru-cache';
import { type CrdNames, hasCondition, namesOf, specOf, statusOf } from '#api/apiextensions/crd.ts';
import { definitionFromCrd } from '#api/apiextensions/definition-from-crd.ts';
import { asText, type JsonObject } from '#apimachinery/json.ts';
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

/** Definitions by the shared spec that they were made from, and what else decides them. */
const definitionsOfSpec = new WeakMap<JsonObject, Map<string, ResourceDefinition>>();

function definitionOf(crd: KubeObject, isSpecShared: boolean): ResourceDefinition {
  if (!isSpecShared) return definitionFromCrd(crd);
  const spec = specOf(crd);
  let definitions = definitionsOfSpec.get(spec);
  if (definitions === undefined) {
    definitions = new Map();
    definitionsOfSpec.set(spec, definitions);
  }
  const isGoing = crd.metadata.deletionTimestamp !== undefined || hasCondition(crd, 'Terminating');
  const key = JSON.stringify([statusOf(crd)['acceptedNames'], isGoing]);
  let definition = definitions.get(key);
  if (definition === undefined) {
    definition = definitionFromCrd(crd);
    definitions.set(key, definition);
  }
  return definition;
}

/** `isSpecShared`: the spec is one object for all CRDs of its content, and never changed. */
export function crdRecordOf(crd: KubeObject, isSpecShared = false): CrdRecord {
  const established = hasCondition(crd, 'Established');
  return {
    name: crd.metadata.name ?? '',
    group: asText(specOf(crd)['group']),
    requested: shareNames(namesOf(specOf(crd)['names'])),
    accepted: shareNames(namesOf(statusOf(crd)['acceptedNames'])),
    namesAccepted: hasCondition(crd, 'NamesAccepted'),
    established,
    settled: nextCrdStatus(crd, nothingTaken, '') === undefined,
    deleting: crd.metadata.deletionTimestamp !== undefined,
    definition: established ? definitionOf(crd, isSpecShared) : undefined,
  };
}
