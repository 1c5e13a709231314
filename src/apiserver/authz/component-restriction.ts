import { coreKcpGroup, mappingNameAnnotation } from '#api/core-kcp/logical-cluster.ts';
import { federationGroup } from '#api/federation/group.ts';
import { isReturnable, returnedFromLabel } from '#api/federation/return-contract.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import { loopbackUser } from '../request/user.ts';
import { federatorNameOf, isScheduler } from './components.ts';

/**
 * What the authorizer cannot tell from a URL about the control plane's own processes (Kubernetes' NodeRestriction does
 * the same for nodes): a federator creates only the Federator and the Lease that bear its own name, and the scheduler
 * records a project's mapping name once and changes nothing else of its LogicalCluster, and of a Cell its taints alone.
 * Nobody else writes that name: what all mapped names of a project begin with is not the project's to choose.
 */
export const componentRestrictionPlugin: AdmissionPlugin = {
  name: 'ComponentRestriction',

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { group, resource } = context.served.definition;
    if (isScheduler(context.user)) {
      if (context.workspace?.type === 'project' && isReturnable(group, resource)) {
        return context.subresource === '' && operation !== 'CONNECT';
      }
      if (group === '' && resource === 'events') return operation === 'DELETE';
      if (operation !== 'UPDATE' || context.subresource === 'status') return false;
      return (
        (group === coreKcpGroup && resource === 'logicalclusters') ||
        (group === federationGroup && resource === 'cells')
      );
    }
    if (operation === 'UPDATE' && group === coreKcpGroup && resource === 'logicalclusters') {
      return context.user !== loopbackUser;
    }
    if (operation !== 'CREATE' || context.workspace?.type !== 'cells') return false;
    if (federatorNameOf(context.user) === undefined) return false;
    return (
      (group === federationGroup && resource === 'federators') ||
      (group === 'coordination.k8s.io' && resource === 'leases')
    );
  },

  validate({ context, object, oldObject }: AdmissionAttributes): undefined {
    const { definition } = context.served;
    const name = object?.metadata.name ?? context.name;
    const isEvent = definition.group === '' && definition.resource === 'events';
    if (isScheduler(context.user) && (isEvent || isReturnable(definition.group, definition.resource))) {
      const isReturned = [object, oldObject].every(
        (one) => one === undefined || one.metadata.labels?.[returnedFromLabel] !== undefined,
      );
      if (isReturned) return;
      throw forbidden(definition, name, 'the scheduler may only write what came back from an edge');
    }
    const federator = federatorNameOf(context.user);
    if (federator !== undefined) {
      if (name === federator) return;
      throw forbidden(
        definition,
        name,
        `federator ${JSON.stringify(federator)} may only create the one of its own name`,
      );
    }
    if (object === undefined || oldObject === undefined) return;
    if (definition.resource === 'cells') {
      if (equalJson(withoutTaints(object), withoutTaints(oldObject))) return;
      throw forbidden(definition, name, 'the scheduler may only write spec.taints');
    }
    const recorded = oldObject.metadata.annotations?.[mappingNameAnnotation];
    const isOther = recorded !== object.metadata.annotations?.[mappingNameAnnotation];
    if (!isScheduler(context.user)) {
      if (!isOther) return;
      throw forbidden(definition, name, `${mappingNameAnnotation} is recorded by the scheduler alone`);
    }
    const renamed = recorded !== undefined && isOther;
    if (renamed || !equalJson(withoutMappingName(object), withoutMappingName(oldObject))) {
      throw forbidden(definition, name, `the scheduler may only record ${mappingNameAnnotation}, once`);
    }
  },
};

function withoutTaints({ metadata, spec, ...rest }: KubeObject): JsonObject {
  const { managedFields: _fields, resourceVersion: _revision, generation: _generation, ...others } = metadata;
  const { taints: _taints, ...kept } = isJsonObject(spec) ? spec : {};
  return { ...rest, metadata: { ...others }, spec: kept };
}

function withoutMappingName({ metadata, ...rest }: KubeObject): JsonObject {
  const { managedFields: _fields, resourceVersion: _revision, annotations = {}, ...others } = metadata;
  const { [mappingNameAnnotation]: _name, ...kept } = annotations;
  return { ...rest, metadata: { ...others, annotations: kept } };
}
