import { cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath, federationGroup, federationVersion } from '#api/federation/group.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { unlessThere } from '#client/unless-there.ts';
import { cellSecretRef, putCellCredentials } from './cell-credentials.ts';

export interface DemoCell {
  readonly name: string;
  readonly pop: string;
  readonly region: string;
  readonly federator: string;
}

/** What `cellplane start` sets up: two projects, two cells, each cell with a federator of its own. */
export const demoCells: readonly DemoCell[] = [
  { name: 'pop-a-cell-a', pop: 'pop-a', region: 'region-a', federator: 'federator-a' },
  { name: 'pop-b-cell-b', pop: 'pop-b', region: 'region-b', federator: 'federator-b' },
];

const fieldManager = 'cellplane-start';
/** `spec.provider` of the cells whose edges run nothing. */
export const demoProvider = 'demo';

export interface DemoProject {
  readonly organization: string;
  readonly name: string;
  readonly context: string;
}

export const demoProjects: readonly DemoProject[] = [
  { organization: 'acme', name: 'shop', context: 'acme-shop' },
  { organization: 'globex', name: 'shop', context: 'globex-shop' },
];

/** Creates a workspace unless there is one of that name. */
export async function ensureWorkspace(
  federationClient: KubeClient,
  parent: string,
  name: string,
  type: string,
): Promise<void> {
  await unlessThere(() =>
    federationClient.create(
      { cluster: parent, gvr: workspacesGvr },
      {
        apiVersion: 'tenancy.kcp.io/v1alpha1',
        kind: 'Workspace',
        metadata: { name },
        spec: { type: { name: type, path: 'root' } },
      },
    ),
  );
}

export async function ensureProjects(federationClient: KubeClient): Promise<void> {
  for (const { organization, name } of demoProjects) {
    await ensureWorkspace(federationClient, 'root', organization, 'organization');
    await ensureWorkspace(federationClient, `root:${organization}`, name, 'project');
  }
}

/** Registers a cell with its credentials, or brings its endpoint and credentials up to date. */
export async function ensureCell(
  federationClient: KubeClient,
  cell: DemoCell,
  edge: ServerConnection,
): Promise<void> {
  await putCellCredentials(federationClient, cell.name, edge, fieldManager);
  await put(
    federationClient,
    { cluster: cellsWorkspacePath, gvr: cellsGvr, name: cell.name },
    {
      apiVersion: `${federationGroup}/${federationVersion}`,
      kind: 'Cell',
      metadata: { name: cell.name, labels: { pop: cell.pop, region: cell.region } },
      spec: {
        apiEndpoint: edge.server,
        secretRef: cellSecretRef(cell.name),
        pop: cell.pop,
        region: cell.region,
        provider: demoProvider,
        federator: { name: cell.federator },
        apis: { groups: ['gateway.networking.k8s.io'] },
      },
    },
  );
}

/** Applies what we say and leaves what others say. */
async function put(federationClient: KubeClient, ref: ObjectRef, object: KubeObject): Promise<void> {
  await federationClient.apply(ref, object, { fieldManager, force: true });
}
