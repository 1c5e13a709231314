import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { AdmissionPlugin } from '../../admission/admission.ts';
import { AdmissionChain } from '../../admission/admission-chain.ts';
import type { AdmissionMetrics } from '../../admission/admission-metrics.ts';
import { NamespaceLifecycle } from '../../admission/namespace-lifecycle.ts';
import { renderEntry } from '../../registry/conversion.ts';
import { parseIpRange } from '../../registry/ip-range.ts';
import { QuotaAllocator } from '../../registry/quota/quota-allocator.ts';
import { Registry } from '../../registry/registry.ts';
import { ServiceAllocator } from '../../registry/service-allocator.ts';
import type { SharedObjects } from '../../registry/shared-objects.ts';
import type { ResourceContext } from '../../request/context.ts';
import { type ParsedRequest, parseRequestInfo } from '../../request/parse-request-info.ts';
import { loopbackUser, type UserInfo } from '../../request/user.ts';
import type { ClusterId, Workspace, WorkspaceResolver } from '../../workspace/workspace.ts';
import type { ResourceHandler, VerbRequest } from '../request.ts';
import type { ListResult, VerbResult, WatchDelivery, WatchResult, WatchSignal } from '../result.ts';
import { Verbs } from '../verbs.ts';

let builtinScheme: Scheme | undefined;

export interface HarnessOptions {
  readonly definitions?: readonly ResourceDefinition[];
  readonly plugins?: (storage: CachedStorage) => readonly AdmissionPlugin[];
  readonly metrics?: AdmissionMetrics | undefined;
  readonly shared?: SharedObjects;
  readonly handlers?: ReadonlyMap<string, ResourceHandler>;
  /** One or two. */
  readonly serviceRanges?: readonly string[];
  readonly nodePorts?: { readonly min: number; readonly max: number };
  readonly ringEventsMax?: number;
  /** What the registry has for a store. */
  readonly seenAs?: (storage: CachedStorage) => CachedStorage;
  readonly workspaces?: readonly Partial<Workspace>[];
  readonly authorizeCreate?: boolean;
}

/** What a request came to, in decoded form. */
export interface Answer {
  readonly code: number;
  readonly body: JsonObject;
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

export interface Send {
  readonly body?: JsonValue | Buffer | string;
  readonly contentType?: string;
  readonly user?: UserInfo;
  readonly userAgent?: string;
  readonly signal?: AbortSignal;
  /** Where the audit record of the request would be annotated. */
  readonly annotate?: NonNullable<ResourceContext['annotate']>;
}

/** Verbs over a memory store and fake workspaces: `root` and whatever else a test asks for, with namespace `default`. */
export class Harness {
  readonly storage: CachedStorage;
  readonly registry: Registry;
  readonly verbs: Verbs;
  readonly clock: ManualClock;
  readonly scheme: Scheme;
  readonly workspaces = new Map<string, Workspace>();

  private constructor(storage: CachedStorage, options: HarnessOptions) {
    this.clock = new ManualClock();
    this.storage = options.seenAs?.(storage) ?? storage;
    builtinScheme ??= createScheme(builtinDefinitions());
    this.scheme =
      options.definitions === undefined
        ? builtinScheme
        : createScheme([...builtinDefinitions(), ...options.definitions]);
    for (const given of [{ id: 'root' as ClusterId, path: 'root' }, ...(options.workspaces ?? [])]) {
      const id = given.id ?? ('root' as ClusterId);
      this.workspaces.set(id, {
        path: id,
        type: 'universal',
        phase: 'Ready',
        scheme: this.scheme,
        inert: false,
        ...given,
        id,
      });
    }
    this.registry = new Registry({
      storage: this.storage,
      clock: this.clock,
      shared: options.shared,
      allocators: [
        new ServiceAllocator({
          serviceRanges: options.serviceRanges?.map(parseIpRange),
          nodePorts: options.nodePorts,
        }),
        new QuotaAllocator(),
      ],
    });
    this.verbs = new Verbs({
      registry: this.registry,
      clock: this.clock satisfies Clock,
      admission: new AdmissionChain(
        [new NamespaceLifecycle({ storage }), ...(options.plugins?.(storage) ?? [])],
        options.metrics,
      ),
      handlers: options.handlers,
      authorizer:
        options.authorizeCreate === undefined
          ? undefined
          : {
              authorize: () => ({
                decision: options.authorizeCreate === true ? 'allow' : 'noOpinion',
                reason: '',
              }),
            },
    });
  }

  static async open(options: HarnessOptions = {}): Promise<Harness> {
    const storage = await openCachedStorage(
      createMemoryStorage(),
      options.ringEventsMax === undefined ? {} : { ringEventsMax: options.ringEventsMax },
    );
    const harness = new Harness(storage, options);
    for (const id of harness.workspaces.keys()) {
      await harness.send('POST', `/clusters/${id}/api/v1/namespaces`, {
        body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
      });
    }
    return harness;
  }

  async close(): Promise<void> {
    this.verbs.endAllWatches();
    await this.storage.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get resolver(): WorkspaceResolver {
    return {
      resolve: (ref) => {
        const workspace = this.workspaces.get(ref);
        if (workspace === undefined) throw badRequest(`no workspace ${ref}`);
        return workspace;
      },
      byId: (id) => this.workspaces.get(id),
      wildcardScheme: () => this.scheme,
    };
  }

  context(method: string, url: string, send: Send = {}): ResourceContext {
    const info: ParsedRequest = parseRequestInfo(method, url);
    const { resource } = info;
    if (resource === undefined) throw badRequest(`no resource in ${url}`);
    const workspace = info.clusterRef === '*' ? undefined : this.resolver.resolve(info.clusterRef);
    const scheme = workspace?.scheme ?? this.scheme;
    const served = scheme.lookupResource(resource.group, resource.version, resource.resource);
    if (served === undefined) throw new ApiError('NotFound', `not served: ${url}`);
    return {
      info,
      user: send.user ?? loopbackUser,
      workspace,
      auditId: 'audit',
      signal: send.signal ?? new AbortController().signal,
      warnings: [],
      annotate: send.annotate,
      defaultFieldManager: send.userAgent ?? 'test',
      served,
      subresource: resource.subresource,
      // The name of a namespace is not the namespace that it is in.
      namespace: served.definition.namespaced ? resource.namespace : '',
      name: resource.name,
    };
  }

  execute(context: ResourceContext, send: Send = {}): VerbResult | Promise<VerbResult> {
    return this.verbs.execute(context, requestOf(send));
  }

  /** Sends and decodes; rejects with the ApiError. */
  async send(method: string, url: string, send: Send = {}): Promise<Answer> {
    const context = this.context(method, url, send);
    const result = await this.execute(context, send);
    const body = bodyOf(result);
    const code = 'code' in result ? result.code : 200;
    return { code, body, object: body as KubeObject, warnings: context.warnings };
  }

  get(url: string): Promise<Answer> {
    return this.send('GET', url);
  }

  post(url: string, body: JsonValue, send: Send = {}): Promise<Answer> {
    return this.send('POST', url, { ...send, body });
  }

  put(url: string, body: JsonValue, send: Send = {}): Promise<Answer> {
    return this.send('PUT', url, { ...send, body });
  }

  patch(url: string, type: 'json' | 'merge' | 'strategic' | 'apply', body: JsonValue): Promise<Answer> {
    return this.send('PATCH', url, { body, contentType: patchTypes[type] });
  }

  delete(url: string, body?: JsonValue): Promise<Answer> {
    return this.send('DELETE', url, body === undefined ? {} : { body });
  }

  async list(url: string): Promise<ListAnswer> {
    const result = await this.execute(this.context('GET', url));
    if (result.type !== 'list') throw new Error(`not a list: ${result.type}`);
    return listAnswer(result);
  }

  async watch(url: string, send: Send = {}): Promise<WatchRecorder> {
    const result = await this.execute(this.context('GET', url, send));
    if (result.type !== 'watch') throw new Error(`not a watch: ${result.type}`);
    return new WatchRecorder(result);
  }
}

export interface ListAnswer {
  readonly names: readonly string[];
  readonly items: readonly KubeObject[];
  readonly revision: string;
  readonly continue: string | undefined;
  readonly remaining: number | undefined;
}

/** Keeps what a watch delivers: `ADDED a@5`, `BOOKMARK@7`, `END`. */
export class WatchRecorder {
  readonly log: string[] = [];
  readonly deliveries: WatchDelivery[] = [];
  readonly signals: WatchSignal[] = [];
  readonly stop: () => void;
  #wake: (() => void)[] = [];

  constructor(result: WatchResult) {
    this.stop = result.start({
      deliver: (deliveries) => {
        for (const delivery of deliveries) {
          const name = delivery.entry.key.slice(delivery.entry.key.lastIndexOf('/') + 1);
          this.deliveries.push(delivery);
          this.log.push(`${delivery.type} ${name}@${delivery.revision}`);
        }
        this.#changed();
      },
      signal: (signal) => {
        this.signals.push(signal);
        if (signal.type === 'end')
          this.log.push(signal.status === undefined ? 'END' : `END ${signal.status['code']}`);
        else this.log.push(`BOOKMARK@${signal.revision}${signal.initialEventsEnd ? ' initial' : ''}`);
        this.#changed();
      },
    });
  }

  /** Events without their revisions. */
  get types(): string[] {
    return this.log.map((line) => line.replace(/@\d+/, ''));
  }

  /** Resolves when that many lines have come. */
  async until(count: number): Promise<void> {
    while (this.log.length < count) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

function requestOf({ body, contentType }: Send): VerbRequest {
  if (body === undefined) return { body: undefined };
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return { body: { contentType: contentType ?? 'application/json', bytes } };
}

function bodyOf(result: VerbResult): JsonObject {
  switch (result.type) {
    case 'entry':
      return JSON.parse(renderEntry(result.entry, result.served).toString('utf8')) as JsonObject;
    case 'object':
      return result.object;
    case 'encoded':
      return JSON.parse(result.body.toString('utf8')) as JsonObject;
    case 'status':
      return result.body;
    case 'list':
      return { items: [...listAnswer(result).items] };
    default:
      throw new Error(`no body in ${result.type}`);
  }
}

function listAnswer(result: ListResult): ListAnswer {
  const items = [...result.entries].map(
    (entry) => JSON.parse(renderEntry(entry, result.served).toString('utf8')) as KubeObject,
  );
  const page = result.page();
  return {
    items,
    names: items.map((item) => item.metadata.name ?? ''),
    revision: String(result.revision),
    continue: page.continue,
    remaining: page.remainingItemCount,
  };
}

/** Matches an ApiError by reason, and by its message when one is given. */
export function apiError(
  reason: string,
  message?: string | RegExp,
  code?: number,
): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof ApiError)) throw error;
    if (error.reason !== reason) throw new Error(`expected ${reason}, got ${error.reason}: ${error.message}`);
    if (code !== undefined && error.code !== code) throw new Error(`expected ${code}, got ${error.code}`);
    if (typeof message === 'string' && error.message !== message) {
      throw new Error(`expected message ${message}\ngot ${error.message}`);
    }
    if (message instanceof RegExp && !message.test(error.message)) {
      throw new Error(`expected message like ${message}\ngot ${error.message}`);
    }
    return true;
  };
}
