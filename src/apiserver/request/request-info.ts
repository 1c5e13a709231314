/** What a URL asks for, taken apart once (Kubernetes' RequestInfo). */
export interface RequestInfo {
  /**
   * What stood after `/clusters/`: a path, an id, or `*`. `root` when the URL has no such prefix (and the request is
   * not redirected by a service-account token).
   */
  readonly clusterRef: string;
  /** The path inside the workspace, beginning with a slash, undecoded query cut off. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly method: string;
  /** Undefined for non-resource paths (`/version`, `/openapi/v3`, `/api`). */
  readonly resource: ResourceRequest | undefined;
  /** `get list watch create update patch delete deletecollection`; for non-resource paths the lower-case method. */
  readonly verb: string;
}

export interface ResourceRequest {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** Empty when there is none. Further path parts after the subresource are joined with `/`. */
  readonly subresource: string;
  /** Empty for cluster-scoped requests and for lists over all namespaces. */
  readonly namespace: string;
  /** Empty for collections. */
  readonly name: string;
  /** Of a legacy watch on one object (W7): its name, which is in the field selector as well. */
  readonly watched?: string | undefined;
}

/** A request for one namespace is one in it, as Kubernetes' RequestInfo has it. */
export function namespaceOf({ group, resource, namespace, name }: ResourceRequest): string {
  return resource === 'namespaces' && group === '' && namespace === '' ? name : namespace;
}
