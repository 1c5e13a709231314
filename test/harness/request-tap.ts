import type { CollectionRef, KubeClient, ObjectRef } from '#client/client.ts';

export interface TappedRequest {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'apply' | 'delete' | 'raw';
  /** `<resource>.<group>`, or the path of a raw request. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** Remembers the requests that go through a client, and may answer some itself: throwing, or after a while. */
export class RequestTap {
  readonly requests: TappedRequest[] = [];
  /** Called before a request goes out; what it throws is the request's error, what it returns is waited for. */
  intercept: ((request: TappedRequest) => Promise<void> | void) | undefined;

  /** Applies since the last `clear` that were answered with an error, or not at all: each may be sent again. */
  failedApplies = 0;

  /** Applies under way at once, at most, since the last `clear`. */
  appliesPeak = 0;
  #applies = 0;

  /** The server is asked for discovery as before Kubernetes 1.26, whatever the client accepts. */
  plainDiscovery = false;

  /** Writes since the last `clear`. */
  get writes(): readonly TappedRequest[] {
    return this.requests.filter(({ verb }) => !['get', 'list', 'watch', 'raw'].includes(verb));
  }

  count(verb: TappedRequest['verb'], resource?: string): number {
    return this.requests.filter(
      (one) => one.verb === verb && (resource === undefined || one.resource === resource),
    ).length;
  }

  clear(): void {
    this.requests.length = 0;
    this.failedApplies = 0;
    this.appliesPeak = this.#applies;
  }

  wrap(client: KubeClient): KubeClient {
    const note = (
      verb: TappedRequest['verb'],
      ref: CollectionRef | ObjectRef,
      subresource = '',
    ): Promise<void> | void => {
      const { group, resource } = ref.gvr;
      return this.#note({
        verb,
        resource: group === '' ? resource : `${resource}.${group}`,
        namespace: ref.namespace ?? '',
        name: 'name' in ref ? ref.name : '',
        subresource,
      });
    };
    return {
      get: async (ref, options) => {
        await note('get', ref);
        return client.get(ref, options);
      },
      list: async (collection, options) => {
        // As kube-apiserver tells its requests: a list of one name has it.
        const name = /^metadata\.name=(.*)$/.exec(options?.fieldSelector ?? '')?.[1] ?? '';
        await note('list', { ...collection, name });
        return client.list(collection, options);
      },
      watch: (collection, options) => {
        const before = note('watch', collection);
        return (async function* () {
          await before;
          yield* client.watch(collection, options);
        })();
      },
      create: async (collection, object, options) => {
        await note('create', { ...collection, name: object.metadata.name ?? '' }, options?.subresource);
        return client.create(collection, object, options);
      },
      update: async (ref, object, options) => {
        await note('update', ref, options?.subresource);
        return client.update(ref, object, options);
      },
      patch: async (ref, patch, options) => {
        await note('patch', ref, options?.subresource);
        return client.patch(ref, patch, options);
      },
      apply: async (ref, object, options) => {
        await note('apply', ref, options.subresource);
        this.appliesPeak = Math.max(this.appliesPeak, ++this.#applies);
        try {
          return await client.apply(ref, object, options);
        } catch (error) {
          this.failedApplies++;
          throw error;
        } finally {
          this.#applies--;
        }
      },
      delete: async (ref, options) => {
        await note('delete', ref);
        return client.delete(ref, options);
      },
      deleteCollection: async (collection, options) => {
        await note('delete', collection);
        return client.deleteCollection(collection, options);
      },
      raw: async (request, options) => {
        await this.#note({ verb: 'raw', resource: request.path, namespace: '', name: '', subresource: '' });
        return client.raw(this.plainDiscovery ? { ...request, accept: undefined } : request, options);
      },
      close: () => client.close(),
    };
  }

  #note(request: TappedRequest): Promise<void> | void {
    this.requests.push(request);
    return this.intercept?.(request);
  }
}
