import { setMaxListeners } from 'node:events';
import type {
  CallOptions,
  CollectionRef,
  KubeClient,
  ObjectRef,
  WatchEvent,
  WatchOptions,
} from '#client/client.ts';
import { unreachable } from './call-faults.ts';
import type { ClientLine } from './client-line.ts';
import { peopleName } from './names.ts';
import { call } from './network-call.ts';
import { watch } from './network-watch.ts';

/** A client over its line. */
export class NetworkClient implements KubeClient {
  readonly #line: ClientLine;
  readonly #closing = new AbortController();

  constructor(line: ClientLine) {
    this.#line = line;
    setMaxListeners(0, this.#closing.signal); // one for every call under way
  }

  get: KubeClient['get'] = (ref, options) =>
    this.#call('get', options, (target, bounded) => target.get(ref, bounded));

  list: KubeClient['list'] = (collection, options) =>
    this.#call('list', options, async (target, bounded) => {
      if (collection.gvr.resource === 'logicalclusters')
        this.#line.traffic.strayWrites.begins(this.#line.from, this.#line.server);
      return target.list(collection, bounded);
    });

  create: KubeClient['create'] = (collection, object, options) =>
    this.#call('create', options, (target, bounded) => target.create(collection, object, bounded));

  update: KubeClient['update'] = (ref, object, options) =>
    this.#call('update', options, (target, bounded) => target.update(ref, object, bounded));

  patch: KubeClient['patch'] = (ref, patch, options) =>
    this.#call('patch', options, (target, bounded) => target.patch(ref, patch, bounded));

  apply: KubeClient['apply'] = (ref, object, options) =>
    this.#call('apply', options, async (target, bounded) => {
      await this.#beforeWrite('apply', ref);
      return target.apply(ref, object, bounded);
    });

  delete: KubeClient['delete'] = (ref, options) =>
    this.#call('delete', options, async (target, bounded) => {
      await this.#beforeWrite('delete', ref);
      return target.delete(ref, bounded);
    });

  deleteCollection: KubeClient['deleteCollection'] = (collection, options) =>
    this.#call('delete', options, (target, bounded) => target.deleteCollection(collection, bounded));

  raw: KubeClient['raw'] = (request, options) =>
    this.#call('get', options, (target, bounded) => target.raw(request, bounded));

  watch(collection: CollectionRef, options: WatchOptions = {}): AsyncIterable<WatchEvent> {
    const on = { line: this.#line, closing: this.#closing.signal };
    return { [Symbol.asyncIterator]: () => watch(on, collection, options) };
  }

  close(): Promise<void> {
    this.#closing.abort(unreachable('the client is closed'));
    return this.#line.close();
  }

  #call<T, O extends CallOptions>(
    verb: string,
    options: O | undefined,
    perform: (target: KubeClient, options: O) => Promise<T>,
  ): Promise<T> {
    return call({ line: this.#line, closing: this.#closing.signal }, verb, options, perform);
  }

  async #beforeWrite(verb: 'delete' | 'apply', ref: ObjectRef): Promise<void> {
    const { from, server, traffic } = this.#line;
    if (traffic.beforeWrite !== undefined && from.name !== peopleName) {
      await traffic.beforeWrite(verb, server.name, ref);
    }
  }
}
