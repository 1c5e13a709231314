import type { RequestInfo, ResourceRequest } from '../request/request-info.ts';

type QueryValues = { readonly [name: string]: string | number | boolean | undefined };

/** The RequestInfo of a call that never was a URL; path and query are made when somebody asks. */
export class LoopbackRequest implements RequestInfo {
  readonly clusterRef: string;
  readonly verb: string;
  readonly resource: ResourceRequest;
  readonly #values: QueryValues;
  #query: URLSearchParams | undefined;

  constructor(clusterRef: string, verb: string, resource: ResourceRequest, values: QueryValues) {
    this.clusterRef = clusterRef;
    this.verb = verb;
    this.resource = resource;
    this.#values = values;
  }

  get method(): string {
    return methods[this.verb] ?? 'GET';
  }

  get path(): string {
    const { group, version, namespace, resource, name, subresource } = this.resource;
    const parts = [group === '' ? `/api/${version}` : `/apis/${group}/${version}`];
    if (namespace !== '') parts.push('namespaces', namespace);
    parts.push(resource);
    if (name !== '') parts.push(name);
    if (subresource !== '') parts.push(subresource);
    return parts.join('/');
  }

  get query(): URLSearchParams {
    if (this.#query === undefined) {
      this.#query = new URLSearchParams();
      for (const name in this.#values) {
        const value = this.#values[name];
        if (value !== undefined) this.#query.set(name, String(value));
      }
    }
    return this.#query;
  }
}

const methods: { readonly [verb: string]: string } = {
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};
