import type { RequestInfo } from './request-info.ts';

const verbs: ReadonlySet<string> = new Set(['watch', 'proxy']);
const subresources: ReadonlySet<string> = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

/**
 * What Kubernetes takes for long-running: it has no deadline and is not counted among the requests under way
 * (k8s.io/kubernetes/pkg/controlplane/apiserver/config.go).
 */
export function isLongRunning({ verb, resource }: Pick<RequestInfo, 'verb' | 'resource'>): boolean {
  return verbs.has(verb) || subresources.has(resource?.subresource.split('/')[0] ?? '');
}
