import type { GroupResource } from '#apimachinery/gvk.ts';
import {
  asObject,
  asObjects,
  asText,
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

export const crdGroup = 'apiextensions.k8s.io';
export const crdResource = 'customresourcedefinitions';
/** Whether these are definitions themselves. */
export function isCrd({ group, resource }: GroupResource): boolean {
  return group === crdGroup && resource === crdResource;
}

/** Deletes the instances before the CRD goes (KUBERNETES.md R2). */
export const crdCleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';
export const apiApprovedAnnotation = 'api-approved.kubernetes.io';

export interface CrdNames {
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly kind: string;
  readonly listKind: string;
  readonly categories: readonly string[];
}

export interface CrdVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated: boolean;
  readonly deprecationWarning: string | undefined;
  readonly openApiV3Schema: JsonObject | undefined;
  readonly hasStatus: boolean;
  readonly scale: JsonObject | undefined;
  readonly columns: readonly JsonObject[];
  readonly selectableFields: readonly JsonObject[];
}

export type CrdConditionType =
  | 'NamesAccepted'
  | 'Established'
  | 'Terminating'
  | 'NonStructuralSchema'
  | 'KubernetesAPIApprovalPolicyConformant';

export interface CrdCondition extends JsonObject {
  type: CrdConditionType;
  status: 'True' | 'False' | 'Unknown';
  lastTransitionTime: string;
  reason: string;
  message: string;
}

export function textsIn(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function specOf(crd: KubeObject): JsonObject {
  return asObject(crd['spec']);
}

export function statusOf(crd: KubeObject): JsonObject {
  return asObject(crd['status']);
}

/** Names as spec or status.acceptedNames hold them. */
export function namesOf(names: JsonValue | undefined): CrdNames {
  const object = asObject(names);
  return {
    plural: asText(object['plural']),
    singular: asText(object['singular']),
    shortNames: textsIn(object['shortNames']),
    kind: asText(object['kind']),
    listKind: asText(object['listKind']),
    categories: textsIn(object['categories']),
  };
}

export function versionsOf(crd: KubeObject): CrdVersion[] {
  return asObjects(specOf(crd)['versions']).map((version) => {
    const subresources = asObject(version['subresources']);
    const schema = asObject(version['schema'])['openAPIV3Schema'];
    return {
      name: asText(version['name']),
      served: version['served'] === true,
      storage: version['storage'] === true,
      deprecated: version['deprecated'] === true,
      deprecationWarning:
        typeof version['deprecationWarning'] === 'string' ? version['deprecationWarning'] : undefined,
      openApiV3Schema: isJsonObject(schema) ? schema : undefined,
      hasStatus: isJsonObject(subresources['status']),
      scale: isJsonObject(subresources['scale']) ? subresources['scale'] : undefined,
      columns: asObjects(version['additionalPrinterColumns']),
      selectableFields: asObjects(version['selectableFields']),
    };
  });
}

export function storedVersionsOf(crd: KubeObject): string[] {
  return textsIn(statusOf(crd)['storedVersions']);
}

export function conditionsOf(crd: KubeObject): CrdCondition[] {
  return asObjects(statusOf(crd)['conditions']) as CrdCondition[];
}

export function hasCondition(crd: KubeObject, type: CrdConditionType): boolean {
  return conditionsOf(crd).some((condition) => condition.type === type && condition.status === 'True');
}

/** Groups that only the Kubernetes project may define APIs in (KEP-1111). */
export function isProtectedGroup(group: string): boolean {
  return /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);
}

export type ApprovalState = 'Missing' | 'Invalid' | 'Bypassed' | 'Approved';

/** What the annotation `api-approved.kubernetes.io` says, and how Kubernetes words it. */
export function approvalOf(crd: KubeObject): { readonly state: ApprovalState; readonly text: string } {
  const annotation = crd.metadata.annotations?.[apiApprovedAnnotation];
  if (annotation === undefined || annotation === '') {
    return {
      state: 'Missing',
      text: `protected groups must have approval annotation ${JSON.stringify(apiApprovedAnnotation)}, see https://github.com/kubernetes/enhancements/pull/1111`,
    };
  }
  if (annotation.startsWith('unapproved'))
    return { state: 'Bypassed', text: `not approved: ${JSON.stringify(annotation)}` };
  if (URL.canParse(annotation) && new URL(annotation).host !== '') {
    return { state: 'Approved', text: `approved in ${annotation}` };
  }
  return {
    state: 'Invalid',
    text: `protected groups must have approval annotation ${JSON.stringify(apiApprovedAnnotation)} with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`,
  };
}
