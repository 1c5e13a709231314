import {
  coreKcpGroup,
  type LogicalClusterObject,
  logicalClusterDefinition,
  logicalClusterName,
} from '#api/core-kcp/logical-cluster.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { tenancyGroup, type WorkspaceObject, workspaceDefinition } from '#api/tenancy/workspace.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import type { AdmissionAttributes } from '../admission/admission.ts';
import type { ResourceContext } from '../request/context.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { Workspace } from './workspace.ts';

export function isWorkspaces({ served }: ResourceContext): boolean {
  return served.definition.group === tenancyGroup && served.definition.resource === 'workspaces';
}

export function isLogicalClusters({ served }: ResourceContext): boolean {
  return served.definition.group === coreKcpGroup && served.definition.resource === 'logicalclusters';
}

export function isSystem(user: UserInfo): boolean {
  return user.groups.includes(systemMasters);
}

export function isClosing(workspace: Workspace | undefined): boolean {
  return workspace?.phase === 'Terminating' || workspace?.phase === 'Deleting';
}

/** A workspace that is being deleted takes nothing in: what came after the sweep would be left behind. */
export function refuseWhileClosing({ workspace, served, name }: ResourceContext): void {
  if (!isClosing(workspace) || served.definition.virtual === true) return;
  throw forbidden(
    served.definition,
    name,
    `unable to create new content in workspace ${workspace?.path} because it is being terminated`,
  );
}

export function refuseSystemFields({ spec = {} }: WorkspaceObject, name: string): void {
  for (const field of ['cluster', 'URL'] as const) {
    if (spec[field] !== undefined)
      throw forbidden(workspaceDefinition, name, `spec.${field} is set by the system`);
  }
}

/** LogicalClusters go with their Workspace; what the system stands on does not go at all. */
export function refuseDeletion({ context, oldObject }: AdmissionAttributes): void {
  const { workspace, name, user } = context;
  if (isWorkspaces(context)) {
    if (`${workspace?.path}:${name}` !== cellsWorkspacePath) return;
    throw forbidden(workspaceDefinition, name, 'the system needs it; delete the Cells in it');
  }
  if (workspace?.path === 'root' || workspace?.path === cellsWorkspacePath) {
    throw forbidden(logicalClusterDefinition, logicalClusterName, 'the system needs it');
  }
  if (isSystem(user)) return;
  const directly = (oldObject as LogicalClusterObject | undefined)?.spec?.directlyDeletable === true;
  if (!directly) {
    throw forbidden(
      logicalClusterDefinition,
      logicalClusterName,
      'it is not directly deletable; delete its Workspace',
    );
  }
}
