export interface GroupVersion {
  /** Empty for the legacy core group. */
  readonly group: string;
  readonly version: string;
}

export interface GroupVersionKind extends GroupVersion {
  readonly kind: string;
}

export interface GroupResource {
  readonly group: string;
  /** Plural, lower case: `deployments`. */
  readonly resource: string;
}

export interface GroupVersionResource extends GroupResource {
  readonly version: string;
}

/** `apps/v1` → {apps, v1}; `v1` → {'', v1}; undefined when malformed (empty part or more than one slash). */
export function parseApiVersion(apiVersion: string): GroupVersion | undefined {
  const slash = apiVersion.indexOf('/');
  if (slash < 0) return apiVersion === '' ? undefined : { group: '', version: apiVersion };
  const group = apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  if (group === '' || version === '' || version.includes('/')) return undefined;
  return { group, version };
}

export function formatApiVersion({ group, version }: GroupVersion): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `deployments.apps`, or `pods` for the core group: how Kubernetes' messages name a resource (KUBERNETES.md E3). */
export function formatGroupResource({ group, resource }: GroupResource): string {
  return group === '' ? resource : `${resource}.${group}`;
}
