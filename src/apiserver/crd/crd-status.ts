import {
  approvalOf,
  type CrdCondition,
  type CrdNames,
  conditionsOf,
  hasCondition,
  isProtectedGroup,
  namesOf,
  specOf,
  statusOf,
  versionsOf,
} from '#api/apiextensions/crd.ts';
import { validateStructuralSchema } from '#api/apiextensions/validate-schema.ts';
import { type Condition, withCondition } from '#api/conditions.ts';
import { asText, equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** Names that other definitions of the group hold in this workspace. */
export interface TakenNames {
  /** Plurals, singulars, short names. */
  readonly resources: ReadonlySet<string>;
  /** Kinds and list kinds. */
  readonly kinds: ReadonlySet<string>;
}

interface Verdict {
  readonly reason: string;
  readonly message: string;
}

/**
 * The status that a CRD should have (KUBERNETES.md R2), or undefined when it has it. Pure. Names are accepted one by
 * one, those that are free, so that a conflict in a short name leaves the rest (apiextensions naming_controller); once
 * all were accepted the CRD is established, and stays so.
 */
export function nextCrdStatus(crd: KubeObject, taken: TakenNames, now: string): JsonObject | undefined {
  const status = statusOf(crd);
  const requested = namesOf(specOf(crd)['names']);
  const { names, conflict } = acceptNames(requested, namesOf(status['acceptedNames']), taken);
  let conditions: Condition[] = conditionsOf(crd);
  const set = (type: CrdCondition['type'], value: Condition['status'], reason: string, message: string) => {
    conditions = withCondition(conditions, { type, status: value, reason, message }, now);
  };
  const drop = (type: CrdCondition['type']) => {
    if (conditions.some((one) => one.type === type))
      conditions = conditions.filter((one) => one.type !== type);
  };

  const isEstablished = hasCondition(crd, 'Established');
  if (conflict === undefined) set('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found');
  else set('NamesAccepted', 'False', conflict.reason, conflict.message);

  const violations = isEstablished ? undefined : structuralViolations(crd);
  if (violations === undefined) drop('NonStructuralSchema');
  else set('NonStructuralSchema', 'True', 'Violations', violations);

  if (!isEstablished) {
    if (conflict !== undefined) set('Established', 'False', 'NotAccepted', 'not all names are accepted');
    else if (violations !== undefined)
      set('Established', 'False', 'NonStructuralSchema', 'the schema is not structural');
    else set('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted');
  }

  if (isProtectedGroup(asText(specOf(crd)['group']))) {
    const { state, text } = approvalOf(crd);
    const reason = `${state === 'Bypassed' ? 'Unapproved' : state}Annotation`;
    set('KubernetesAPIApprovalPolicyConformant', state === 'Approved' ? 'True' : 'False', reason, text);
  } else {
    drop('KubernetesAPIApprovalPolicyConformant');
  }

  const next: JsonObject = { ...status, conditions, acceptedNames: namesObject(names) };
  return equalJson(next, status) ? undefined : next;
}

function namesObject(names: CrdNames): JsonObject {
  return {
    plural: names.plural,
    kind: names.kind,
    ...(names.singular === '' ? {} : { singular: names.singular }),
    ...(names.listKind === '' ? {} : { listKind: names.listKind }),
    ...(names.shortNames.length === 0 ? {} : { shortNames: [...names.shortNames] }),
    ...(names.categories.length === 0 ? {} : { categories: [...names.categories] }),
  };
}

function acceptNames(
  requested: CrdNames,
  accepted: CrdNames,
  taken: TakenNames,
): { readonly names: CrdNames; readonly conflict: Verdict | undefined } {
  let conflict: Verdict | undefined;
  const choose = (field: 'plural' | 'singular' | 'kind' | 'listKind', used: ReadonlySet<string>): string => {
    const name = requested[field];
    if (name === accepted[field] || !used.has(name)) return name;
    const label = `${(field[0] as string).toUpperCase()}${field.slice(1)}`;
    conflict = { reason: `${label}Conflict`, message: `${JSON.stringify(name)} is already in use` };
    return accepted[field];
  };
  const plural = choose('plural', taken.resources);
  const singular = choose('singular', taken.resources);
  const inUse = requested.shortNames.filter(
    (name) => !accepted.shortNames.includes(name) && taken.resources.has(name),
  );
  if (inUse.length > 0) {
    const list = inUse.map((name) => `${JSON.stringify(name)} is already in use`);
    conflict = {
      reason: 'ShortNamesConflict',
      message: list.length === 1 ? (list[0] as string) : `[${list.join(', ')}]`,
    };
  }
  const kind = choose('kind', taken.kinds);
  const listKind = choose('listKind', taken.kinds);
  const shortNames = inUse.length > 0 ? accepted.shortNames : requested.shortNames;
  return {
    names: { plural, singular, shortNames, kind, listKind, categories: requested.categories },
    conflict,
  };
}

/** Refused at creation: only what was stored by other means can have any. */
function structuralViolations(crd: KubeObject): string | undefined {
  const errors = versionsOf(crd).flatMap((version, index) =>
    version.openApiV3Schema === undefined
      ? []
      : validateStructuralSchema(version.openApiV3Schema, `spec.versions[${index}].schema.openAPIV3Schema`)
          .errors,
  );
  if (errors.length === 0) return undefined;
  const lines = errors.slice(0, 5).map((error) => `${error.field}: ${error.message}`);
  return lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
}
