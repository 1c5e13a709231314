import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { renderKubeconfig } from './kubeconfig-file.ts';

/** Namespace in `root:cells` that holds the credentials of cells. */
const credentialsNamespace = 'cell-credentials';

/** Where `putCellCredentials` puts them, as `Cell.spec.secretRef` names it. */
export function cellSecretRef(cell: string): { namespace: string; name: string } {
  return { namespace: credentialsNamespace, name: cell };
}

/** Writes a cell's Secret: what `connection` says, whole; keys that it does not have go. */
export async function putCellCredentials(
  federationClient: KubeClient,
  cell: string,
  connection: ServerConnection,
  fieldManager: string,
): Promise<void> {
  try {
    await federationClient.create(
      { cluster: cellsWorkspacePath, gvr: { group: '', version: 'v1', resource: 'namespaces' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: credentialsNamespace } },
    );
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
  // How the edge's certificate is looked at has no key of its own.
  const isKubeconfig = connection.tlsServerName !== undefined || connection.insecureSkipTlsVerify === true;
  const texts = isKubeconfig
    ? { kubeconfig: renderKubeconfig([{ name: cell, connection }], cell) }
    : {
        caBundle: connection.caPem,
        'tls.crt': connection.certificatePem,
        'tls.key': connection.keyPem,
        token: connection.token,
      };
  const entries = Object.entries(texts).flatMap(([key, text]) =>
    text === undefined ? [] : [[key, Buffer.from(text, 'utf8').toString('base64')]],
  );
  const { namespace, name } = cellSecretRef(cell);
  await federationClient.apply(
    secretRef(cell),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace },
      type: 'Opaque',
      data: Object.fromEntries(entries),
    },
    { fieldManager, force: true },
  );
}

export async function removeCellCredentials(federationClient: KubeClient, cell: string): Promise<void> {
  try {
    await federationClient.delete(secretRef(cell));
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

function secretRef(cell: string): ObjectRef {
  const gvr = { group: '', version: 'v1', resource: 'secrets' };
  return { cluster: cellsWorkspacePath, gvr, ...cellSecretRef(cell) };
}
