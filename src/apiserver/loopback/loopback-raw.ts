import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { discoveryResponse } from '../discovery/discovery-response.ts';
import { versionInfo } from '../http/version-info.ts';
import type { WorkspaceResolver } from '../workspace/workspace.ts';

/**
 * What components of ours read beside resources, without sockets: discovery, the version, and which store this is.
 * Any other path is NotFound.
 */
export function loopbackRaw(parts: {
  readonly resolver: WorkspaceResolver;
  readonly storage: CachedStorage;
  readonly version: string;
}): KubeClient['raw'] {
  const { resolver, storage, version } = parts;
  return async ({ cluster = 'root', method, path, accept }) => {
    if (method === 'GET') {
      if (path === '/version') return versionInfo(version);
      if (path === '/.well-known/cellplane') {
        const { controlPlaneId, incarnationId } = storage;
        return { controlPlaneId, incarnationId };
      }
      const document = discoveryResponse(resolver.resolve(cluster).scheme, path, { accept });
      if (document?.status === 200) return JSON.parse(document.body.toString('utf8')) as JsonValue;
    }
    throw new ApiError('NotFound', 'the server could not find the requested resource');
  };
}
