import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { systemPriorityClasses } from '../admission/priority.ts';
import { apiServiceGroup, apiServiceResource } from '../aggregation/api-service.ts';
import { AuthenticationConfigMap } from '../aggregation/authentication-config-map.ts';
import { localApiServices } from '../aggregation/local-api-services.ts';
import type { ProxyCertificates } from '../aggregation/proxy-certificates.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoles,
  rootAccessBinding,
} from '../authz/bootstrap-roles.ts';
import {
  bootstrapFlowSchemas,
  bootstrapPriorityLevels,
  flowControlGroup,
} from '../flow-control/bootstrap-objects.ts';
import { defaultServiceCidr } from '../registry/default-service-cidr.ts';
import type { IpRange } from '../registry/ip-range.ts';
import { FixedSharedObjects, type SharedObjects } from '../registry/shared-objects.ts';
import type { SchemeCatalog } from '../workspace/scheme-catalog.ts';
import type { WorkspaceKind } from '../workspace/workspace.ts';

/** Shared objects look the same in every process. */
const sharedCreatedAt = '2026-01-01T00:00:00Z';

/** Bootstrap roles and what flow control is made of are shared over all workspaces, not copied into them. */
export function sharedObjects(
  builtin: readonly ResourceDefinition[],
  schemes: SchemeCatalog,
  rootCa: () => string,
  certificates: ProxyCertificates,
  serviceRanges: readonly IpRange[],
): SharedObjects {
  const find = (group: string, resource: string) => {
    const found = builtin.find((one) => one.group === group && one.resource === resource);
    if (found === undefined) throw new Error(`the catalogue lacks ${resource}`);
    return found;
  };
  const rbac = (resource: string) => find('rbac.authorization.k8s.io', resource);
  const sharedBy = (bindings: readonly KubeObject[]) =>
    new FixedSharedObjects(
      [
        { definition: rbac('clusterroles'), objects: bootstrapClusterRoles },
        { definition: rbac('roles'), objects: bootstrapRoles },
        { definition: rbac('clusterrolebindings'), objects: bindings },
        { definition: find(flowControlGroup, 'flowschemas'), objects: bootstrapFlowSchemas },
        {
          definition: find(flowControlGroup, 'prioritylevelconfigurations'),
          objects: bootstrapPriorityLevels,
        },
        { definition: find('scheduling.k8s.io', 'priorityclasses'), objects: systemPriorityClasses },
        {
          definition: find('networking.k8s.io', 'servicecidrs'),
          objects: [defaultServiceCidr(serviceRanges, sharedCreatedAt)],
        },
      ],
      { createdAt: sharedCreatedAt, appliesTo: (workspace) => !workspace.inert },
    );
  const everywhere = sharedBy(bootstrapClusterRoleBindings);
  // Everyone who is authenticated may enter root (KCP.md, Identity and rights).
  const inRoot = sharedBy([...bootstrapClusterRoleBindings, rootAccessBinding]);
  const authenticationConfig = new AuthenticationConfigMap({
    definition: find('', 'configmaps'),
    clientCaPem: rootCa,
    requestHeaderCaPem: certificates.authorityPem,
    createdAt: sharedCreatedAt,
  });
  const apiServices = new Map<WorkspaceKind, SharedObjects>();
  const apiServicesOf = (kind: WorkspaceKind): SharedObjects => {
    let objects = apiServices.get(kind);
    if (objects === undefined) {
      const definition = find(apiServiceGroup, apiServiceResource);
      const local = localApiServices(schemes.baseOf(kind).definitions, sharedCreatedAt);
      objects = new FixedSharedObjects([{ definition, objects: local }], { createdAt: sharedCreatedAt });
      apiServices.set(kind, objects);
    }
    return objects;
  };
  return {
    of: (workspace, storedAs) => {
      if (storedAs.resource === 'configmaps' && storedAs.group === '') {
        return workspace.inert ? undefined : authenticationConfig;
      }
      if (storedAs.resource === apiServiceResource && storedAs.group === apiServiceGroup) {
        return workspace.inert ? undefined : apiServicesOf(workspace.type).of(workspace, storedAs);
      }
      return (workspace.type === 'root' ? inRoot : everywhere).of(workspace, storedAs);
    },
  };
}
