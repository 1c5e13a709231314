import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { LoneServer } from '../harness/lone-server.ts';
import { until } from '../harness/until.ts';

const workspaces = { group: 'tenancy.kcp.io', version: 'v1alpha1', resource: 'workspaces' } as const;

/** Makes a workspace `root:<name>`; returns the administrator's kubeconfig of it. */
export async function makeWorkspace(
  { admin, dataDirectory }: Pick<LoneServer, 'admin' | 'dataDirectory'>,
  name: string,
): Promise<string> {
  await admin.create(
    { cluster: 'root', gvr: workspaces },
    { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'Workspace', metadata: { name } },
  );
  await until(`workspace ${name} is ready`, async () => {
    const workspace = await admin.get({ cluster: 'root', gvr: workspaces, name });
    return (workspace['status'] as { phase?: string } | undefined)?.phase === 'Ready';
  });
  const kubeconfig = await readFile(path.join(dataDirectory, 'admin.kubeconfig'), 'utf8');
  return kubeconfig.replaceAll('/clusters/root"', `/clusters/root:${name}"`);
}
