import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { openStore } from '../../authz/testing/authz-fixtures.ts';
import { Registry } from '../../registry/registry.ts';
import { Verbs } from '../../verbs/verbs.ts';
import type { HttpLimits } from '../limits.ts';
import {
  type Answer,
  definition,
  resolverOf,
  schemeOf,
  startServer,
  type TestServer,
  widget,
} from './test-server.ts';

/** Only for tests: a server over real verbs and a store of its own, and watches on it. */

export const widgetsPath = '/apis/example.org/v1/namespaces/n/widgets';
export const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
export const watchedScheme = schemeOf(definition());

const _tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io';

export interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject & {
    readonly rows?: { readonly cells: unknown[] }[];
    readonly columnDefinitions?: unknown[];
  };
}

export class WatchedServer {
  readonly verbs: Verbs;
  readonly server: TestServer;
  /** Over which the watches run. */
  readonly session: ClientHttp2Session;
  readonly #cache: CachedStorage;

  private constructor(cache: CachedStorage, verbs: Verbs, server: TestServer, session: ClientHttp2Session) {
    this.#cache = cache;
    this.verbs = verbs;
    this.server = server;
    this.session = session;
  }

  static async start(limits: Partial<HttpLimits> = {}): Promise<WatchedServer> {
    const cache = await openStore();
    const verbs = new Verbs({ registry: new Registry({ storage: cache }) });
    const server = await startServer({ resolver: resolverOf(watchedScheme), verbs, limits });
    return new WatchedServer(cache, verbs, server, await server.http2());
  }

  async stop(): Promise<void> {
    this.session.destroy();
    await this.server.stop();
    await this.#cache.close();
  }

  async create(name: string, spec: JsonObject = {}): Promise<KubeObject> {
    const answer = await this.server.call('POST', widgetsPath, JSON.stringify(widget(name, spec)), {
      'content-type': 'application/json',
    });
    assert.equal(answer.code, 201, answer.text);
    return answer.json() as KubeObject;
  }

  patch(name: string, body: JsonObject): Promise<Answer> {
    return this.server.call('PATCH', `${widgetsPath}/${name}`, JSON.stringify(body), {
      'content-type': 'application/merge-patch+json',
    });
  }

  /** A watch over HTTP/2: its events as they come. */
  async watch(query: string, accept = 'application/json'): Promise<Watcher> {
    const stream = this.session.request({
      ':path': `${widgetsPath}?watch=true${query}`,
      authorization: 'Bearer admin-token',
      accept,
    });
    stream.on('error', () => {});
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    return new Watcher(stream, headers);
  }
}

export class Watcher {
  readonly headers: IncomingHttpHeaders;
  readonly ended: Promise<void>;
  readonly #stream: ClientHttp2Stream;
  readonly #events: WatchEvent[] = [];
  #waiting: ((event: WatchEvent) => void) | undefined;
  #rest = '';

  constructor(stream: ClientHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.headers = headers;
    this.ended = new Promise((resolve) => stream.once('end', resolve));
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#push(JSON.parse(line) as WatchEvent);
    });
  }

  next(): Promise<WatchEvent> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  close(): void {
    this.#stream.close();
  }

  #push(event: WatchEvent): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#events.push(event);
    else waiting(event);
  }
}

export function metric(text: string, name: string): number {
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))];
  return samples.length === 0 ? Number.NaN : samples.reduce((sum, [, value]) => sum + Number(value), 0);
}
