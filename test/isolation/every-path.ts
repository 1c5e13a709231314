import type { RawHttp, RawRequest } from '../harness/raw-http.ts';
import { victimNamespace } from './cast.ts';

interface ApiResource {
  readonly name: string;
  readonly namespaced: boolean;
  readonly kind: string;
}

/** Paths of all collections and of all subresources that a workspace serves, relative to the workspace. */
export async function servedPaths(admin: RawHttp, cluster: string): Promise<string[]> {
  const prefix = `/clusters/${cluster}`;
  const read = async (path: string) => (await admin.send({ path: prefix + path })).json ?? {};
  const groups = (await read('/apis'))['groups'] as { versions: { groupVersion: string }[] }[];
  const versions = groups.flatMap((group) =>
    group.versions.map(({ groupVersion }) => `/apis/${groupVersion}`),
  );
  const paths: string[] = [];
  for (const version of ['/api/v1', ...versions]) {
    for (const { name, namespaced } of (await read(version))['resources'] as ApiResource[]) {
      const [resource, ...below] = name.split('/');
      const namespace = namespaced ? `/namespaces/${victimNamespace}` : '';
      if (below.length > 0) paths.push(`${version}${namespace}/${resource}/crown/${below.join('/')}`);
      else {
        paths.push(`${version}${namespace}/${resource}`, `${version}${namespace}/${resource}/crown`);
        if (namespaced) paths.push(`${version}/${resource}`);
      }
    }
  }
  return [
    ...paths,
    '/api',
    '/apis',
    '/api/v1',
    '/openapi/v2',
    '/openapi/v3',
    '/openapi/v3/api/v1',
    '/',
    '/logs',
  ];
}

/** Every way of asking for a path. */
export function everyVerb(path: string): RawRequest[] {
  const body = '{"metadata":{"name":"crown"}}';
  return [
    { path },
    { path: `${path}?watch=1&timeoutSeconds=1` },
    { path: `${path}?limit=1&labelSelector=marker` },
    { path, method: 'HEAD' },
    { path, method: 'POST', body },
    { path, method: 'PUT', body },
    { path, method: 'PATCH', body, contentType: 'application/merge-patch+json' },
    {
      path: `${path}?fieldManager=x&force=true`,
      method: 'PATCH',
      body,
      contentType: 'application/apply-patch+yaml',
    },
    { path, method: 'DELETE' },
  ];
}

/** Those in which there is most to lose: enough where the whole matrix would take too long. */
export function preciousPaths(paths: readonly string[]): string[] {
  const precious =
    /\/(secrets|configmaps|namespaces|serviceaccounts|deployments|clusterroles|clusterrolebindings|workspaces|cells|federators|logicalclusters|resourcebindings|copies|customresourcedefinitions|leases)\b|^\/(apis?|openapi)?(\/v\d)?$/;
  return paths.filter((path) => precious.test(path));
}
