import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Cell } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { parseKubeconfig } from '#client/kubeconfig.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { CellProblem } from './edge-problem.ts';

/**
 * How to reach a cell's edge: from the Cell's endpoint and its Secret, read anew; `known` itself when they say the same.
 * Throws CellProblem naming what is wrong with them, ApiError when the federation API server cannot be asked.
 */
export async function readEdgeConnection(
  federationClient: KubeClient,
  cell: Cell,
  signal: AbortSignal,
  known?: ServerConnection,
): Promise<ServerConnection> {
  const ref = cell.spec?.secretRef;
  let secret: KubeObject | undefined;
  if (ref !== undefined) {
    const gvr = { group: '', version: 'v1', resource: 'secrets' };
    try {
      secret = await federationClient.get({ cluster: cellsWorkspacePath, gvr, ...ref }, { signal });
    } catch (error) {
      // To a federator a Secret that no Cell of its own names is forbidden: the reference may just have changed.
      if (!isApiError(error, 'NotFound', 'Forbidden')) throw error;
      throw new CellProblem(
        'CredentialsMissing',
        `Secret ${ref.namespace}/${ref.name} in ${cellsWorkspacePath} cannot be read: ${error.message}`,
        { cause: error },
      );
    }
  }
  const connection = await edgeConnectionOf(cell, secret);
  // Certificates and keys are costly to look into, and what is in use has been.
  return known !== undefined && isSameConnection(connection, known) ? known : checked(connection);
}

/**
 * From the Secret: `token`, or `tls.crt` and `tls.key`; `caBundle` or `ca.crt`; or `kubeconfig`, whose server gives way
 * to `spec.apiEndpoint`. Certificates and keys are not looked into. Throws CellProblem.
 */
async function edgeConnectionOf(cell: Cell, secret: KubeObject | undefined): Promise<ServerConnection> {
  const name = cell.metadata.name ?? '';
  const { apiEndpoint: endpoint, proxyURL } = cell.spec ?? {};
  const data = isJsonObject(secret?.['data']) ? secret['data'] : {};
  const text = (key: string): string | undefined => decodeKey(data, key);
  const kubeconfig = text('kubeconfig');
  const proxy = proxyURL === undefined ? {} : { proxyUrl: proxyURL };
  if (kubeconfig !== undefined) {
    const parsed = await parseKubeconfig(kubeconfig, { source: `secret of cell ${name}` }).catch(
      (error: Error) => {
        throw new CellProblem('CredentialsInvalid', error.message, { cause: error });
      },
    );
    return { ...parsed, ...(endpoint === undefined ? {} : { server: endpoint }), ...proxy };
  }
  if (endpoint === undefined) throw new CellProblem('NoEndpoint', `cell ${name} has no spec.apiEndpoint`);
  return {
    server: endpoint,
    caPem: text('caBundle') ?? text('ca.crt'),
    token: text('token')?.trim(),
    certificatePem: text('tls.crt'),
    keyPem: text('tls.key'),
    ...proxy,
  };
}

export function isSameConnection(a: ServerConnection, b: ServerConnection): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What is no certificate or key is told by its name here, not by a handshake that fails for some reason. */
function checked(connection: ServerConnection): ServerConnection {
  const { caPem, certificatePem, keyPem } = connection;
  if ((certificatePem === undefined) !== (keyPem === undefined)) {
    throw new CellProblem(
      'CredentialsInvalid',
      'the Secret has one of tls.crt and tls.key and not the other',
    );
  }
  const parse = <T>(key: string, make: () => T): T => {
    try {
      return make();
    } catch (error) {
      throw new CellProblem(
        'CredentialsInvalid',
        `${key} of the Secret cannot be read: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  };
  if (caPem !== undefined) parse('caBundle', () => new X509Certificate(caPem));
  if (certificatePem !== undefined && keyPem !== undefined) {
    const certificate = parse('tls.crt', () => new X509Certificate(certificatePem));
    const key = parse('tls.key', () => createPrivateKey(keyPem));
    if (!certificate.checkPrivateKey(key)) {
      throw new CellProblem('CredentialsInvalid', 'tls.key of the Secret is not the key of its tls.crt');
    }
  }
  return connection;
}

function decodeKey(data: JsonObject, key: string): string | undefined {
  const value = data[key];
  return typeof value === 'string' && value !== ''
    ? Buffer.from(value, 'base64').toString('utf8')
    : undefined;
}
