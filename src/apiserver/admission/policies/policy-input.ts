import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import { objectOf as storedObjectOf } from '../../registry/stored-object.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { admissionRequest, namespaceEntry, objectsInVersion } from '../request-view.ts';
import { CelAuthorizer, type DecisionMemo } from './cel-authorizer.ts';
import type { EvaluationInput } from './evaluation.ts';

export interface InputSources {
  readonly storage: CachedStorage;
  readonly authorizer: Authorizer | undefined;
  readonly memo: DecisionMemo;
}

/** What match conditions see: the resource that is requested, whichever version of it matched (matchconditions/matcher.go). */
export function conditionInput<Input extends Pick<EvaluationInput, 'request'>>(input: Input): Input {
  const { request } = input;
  return { ...input, request: { ...request, resource: request['requestResource'] } };
}

/** What the expressions of a policy or webhook see of a request, in one version of its resource. */
export function policyInput(
  attributes: AdmissionAttributes,
  version: ResourceVersion,
  params: KubeObject | undefined,
  { storage, authorizer, memo }: InputSources,
): Omit<EvaluationInput, 'own'> {
  const { context } = attributes;
  const namespace = namespaceEntry(context, storage);
  return {
    ...objectsInVersion(attributes, version),
    request: admissionRequest(attributes, version, context.auditId),
    params,
    namespace: namespace === undefined ? undefined : storedObjectOf(namespace),
    authorizer:
      authorizer === undefined
        ? undefined
        : new CelAuthorizer({ authorizer, workspace: context.workspace!, user: context.user, memo }),
  };
}
