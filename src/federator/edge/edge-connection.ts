import type { Cell } from '#api/federation/cell.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { parseKubeconfig } from '#client/kubeconfig.ts';
import type { ServerConnection } from '#client/remote/connection.ts';

/**
 * How to reach a cell's edge: from the Cell's endpoint and its Secret (`token`, or `tls.crt` and `tls.key`; `caBundle`;
 * or `kubeconfig`, whose server gives way to `spec.apiEndpoint`). Throws ApiError `Invalid` naming what is wrong.
 */
export async function edgeConnectionOf(
  cell: Cell,
  secret: KubeObject | undefined,
): Promise<ServerConnection> {
  const name = cell.metadata.name ?? '';
  const endpoint = cell.spec?.apiEndpoint;
  const data = isJsonObject(secret?.['data']) ? secret['data'] : {};
  const text = (key: string): string | undefined => decodeKey(data, key);
  const kubeconfig = text('kubeconfig');
  if (kubeconfig !== undefined) {
    const parsed = await parseKubeconfig(kubeconfig, {
      baseDirectory: '/nonexistent',
      source: `secret of cell ${name}`,
    }).catch((error: Error) => {
      throw new ApiError('Invalid', error.message, { cause: error });
    });
    return endpoint === undefined ? parsed : { ...parsed, server: endpoint };
  }
  if (endpoint === undefined) throw new ApiError('Invalid', `cell ${name} has no spec.apiEndpoint`);
  return {
    server: endpoint,
    caPem: text('caBundle') ?? text('ca.crt'),
    token: text('token')?.trim(),
    certificatePem: text('tls.crt'),
    keyPem: text('tls.key'),
  };
}

function decodeKey(data: JsonObject, key: string): string | undefined {
  const value = data[key];
  return typeof value === 'string' && value !== ''
    ? Buffer.from(value, 'base64').toString('utf8')
    : undefined;
}
