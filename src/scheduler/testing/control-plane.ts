import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { cellsGvr } from '#api/federation/cell.ts';
import { projectDefinitions } from '#api/policy/definitions.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { GroupVersionResource } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { AdmissionChain } from '#apiserver/admission/admission-chain.ts';
import { BindingWriter } from '#apiserver/admission/binding-writer.ts';
import { NamespaceLifecycle } from '#apiserver/admission/namespace-lifecycle.ts';
import { componentRestrictionPlugin } from '#apiserver/authz/component-restriction.ts';
import { createServerAuthorizer } from '#apiserver/authz/server-authorizer.ts';
import { ServerControllers } from '#apiserver/controllers/server-controllers.ts';
import { StoreEvents } from '#apiserver/controllers/store-events.ts';
import { CrdCatalog } from '#apiserver/crd/crd-catalog.ts';
import { CrdController } from '#apiserver/crd/crd-controller.ts';
import { LoopbackClient } from '#apiserver/loopback/loopback-client.ts';
import { loopbackRaw } from '#apiserver/loopback/loopback-raw.ts';
import { Registry } from '#apiserver/registry/registry.ts';
import { ServiceAllocator } from '#apiserver/registry/service-allocator.ts';
import { objectOf } from '#apiserver/registry/stored-object.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import { Verbs } from '#apiserver/verbs/verbs.ts';
import { bootstrapWorkspaces } from '#apiserver/workspace/bootstrap.ts';
import { FederationHandlers } from '#apiserver/workspace/federation-handlers.ts';
import { FirstTouch } from '#apiserver/workspace/first-touch.ts';
import { SchemeCatalog } from '#apiserver/workspace/scheme-catalog.ts';
import type { ClusterId } from '#apiserver/workspace/workspace.ts';
import { WorkspaceIndex } from '#apiserver/workspace/workspace-index.ts';
import { WorkspaceLifecycle } from '#apiserver/workspace/workspace-lifecycle.ts';
import { WorkspaceTypes } from '#apiserver/workspace/workspace-types.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';

const schedulerUser: UserInfo = {
  name: 'system:cellplane:scheduler',
  uid: '',
  groups: ['system:cellplane:schedulers', 'system:authenticated'],
  extra: new Map(),
};

/**
 * The API server's own parts over memory, without sockets: what the scheduler's tests run against. The scheduler's client
 * is the scheduler's user, with its rights and no others.
 */
export class ControlPlane implements AsyncDisposable {
  /** The server's own user. */
  readonly admin: KubeClient;
  /** The scheduler's, authorized as over the network. */
  readonly scheduler: KubeClient;
  readonly #stop: () => Promise<void>;

  private constructor(admin: KubeClient, scheduler: KubeClient, stop: () => Promise<void>) {
    this.admin = admin;
    this.scheduler = scheduler;
    this.#stop = stop;
  }

  static async open(): Promise<ControlPlane> {
    const clock = systemClock;
    const logger = silentLogger;
    const storage = await openCachedStorage(createMemoryStorage({ controlPlaneId: 'testcontrolplane' }));
    const stopping = new AbortController();
    const crds = new CrdCatalog({ storage, objectOf, clock, logger });
    crds.start(stopping.signal);
    const schemes = new SchemeCatalog({
      builtin: builtinDefinitions(),
      project: projectDefinitions(),
      custom: {
        definitionsOf: (clusterId) => crds.definitionsOf(clusterId),
        onChange: (listener) => crds.onChange((clusterId) => listener(clusterId as ClusterId)),
        allDefinitions: () => crds.allDefinitions(),
      },
    });
    const index = new WorkspaceIndex({ storage, schemes, clock });
    const externalUrl = (): string => 'https://127.0.0.1:1';
    await bootstrapWorkspaces({ storage, schemes, index, externalUrl, clock });
    const authorization = createServerAuthorizer({
      cache: storage,
      resolver: index,
      cellsClusterId: index.find('root:cells')?.id,
      logger,
    });
    authorization.start();
    const firstTouch = new FirstTouch({
      storage,
      rootCa: () => 'ca',
      advertise: () => ({ address: '127.0.0.1', port: 1 }),
      kubernetesServiceIp: '10.96.0.1',
      clock,
    });
    const lifecycle = new WorkspaceLifecycle({
      storage,
      index,
      types: new WorkspaceTypes(storage, index),
      authorizer: authorization.authorizer,
      externalUrl,
      clock,
    });
    const registry = new Registry({
      storage,
      allocators: [new ServiceAllocator(), lifecycle.allocator],
      clock,
    });
    const events = new StoreEvents(storage, clock);
    const federation = new FederationHandlers({ storage, events, index, clock });
    const verbs = new Verbs({
      registry,
      clock,
      authorizer: authorization.authorizer,
      admission: new AdmissionChain([
        lifecycle,
        new NamespaceLifecycle({ storage, ensure: (workspace) => firstTouch.touch(workspace) }),
        new BindingWriter(),
        componentRestrictionPlugin,
      ]),
      handlers: new Map(federation.handlers),
    });
    index.onChange(({ id }, change) => {
      if (change === 'removed') verbs.endWatches(id);
    });
    const raw = loopbackRaw({ resolver: index, storage, version: 'test' });
    const admin = new LoopbackClient({ verbs, workspaces: index, raw });
    const scheduler = new LoopbackClient({
      verbs,
      workspaces: index,
      raw,
      user: schedulerUser,
      authorizer: authorization.authorizer,
    });
    const controllers = new ServerControllers({
      storage,
      events,
      index,
      client: admin,
      clock,
      logger,
      rootCa: () => 'ca',
      workspaces: true,
    });
    const crdController = new CrdController({
      catalog: crds,
      client: admin,
      baseScheme: (clusterId) => {
        const record = index.recordOf(clusterId);
        return record === undefined ? undefined : schemes.baseOf(record.kind);
      },
      clock,
      logger,
    });
    controllers.start();
    crdController.start();
    return new ControlPlane(admin, scheduler, async () => {
      stopping.abort();
      await Promise.all([controllers.stop(), crdController.stop(), federation.close()]);
      await Promise.all([admin.close(), scheduler.close()]);
      authorization.stop();
      index.close();
      await storage.close();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  /**
   * Makes a project workspace, ready to be written into, below root or below an organization made for it. Returns its
   * logical cluster id.
   */
  async project(name: string, organization?: string): Promise<string> {
    if (organization === undefined) return this.#workspace('root', name, 'project');
    await this.#workspace('root', organization, 'organization');
    return this.#workspace(`root:${organization}`, name, 'project');
  }

  async #workspace(parent: string, name: string, type: string): Promise<string> {
    const collection = { cluster: parent, gvr: workspacesGvr };
    await this.admin.create(collection, {
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name },
      spec: { type: { name: type, path: 'root' } },
    });
    const made = await until(`workspace ${name} is ready`, async () => {
      const workspace = await this.admin.get({ ...collection, name });
      return (workspace['status'] as JsonObject | undefined)?.['phase'] === 'Ready' ? workspace : undefined;
    });
    return String((made['spec'] as JsonObject)['cluster']);
  }

  async cell(name: string, spec: JsonObject = {}, labels: { [key: string]: string } = {}): Promise<void> {
    await this.admin.create(
      { cluster: 'root:cells', gvr: cellsGvr },
      { apiVersion: 'federation.cellplane.io/v1alpha1', kind: 'Cell', metadata: { name, labels }, spec },
    );
    await until(`workspace of cell ${name} is there`, async () => {
      const configMaps = { group: '', version: 'v1', resource: 'configmaps' };
      await this.admin.list({ cluster: `root:cells:${name}`, gvr: configMaps });
      return true;
    });
  }

  create(cluster: string, resource: string, object: KubeObject): Promise<KubeObject> {
    const gvr = gvrOf(object.apiVersion, resource);
    return this.admin.create({ cluster, gvr, namespace: object.metadata.namespace }, object);
  }

  /** The object, or undefined when there is none. */
  async find(ref: ObjectRef): Promise<KubeObject | undefined> {
    try {
      return await this.admin.get(ref);
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async list(cluster: string, apiVersion: string, resource: string): Promise<KubeObject[]> {
    return (await this.admin.list({ cluster, gvr: gvrOf(apiVersion, resource) })).items;
  }
}

export function gvrOf(apiVersion: string, resource: string): GroupVersionResource {
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    resource,
  };
}

/**
 * Waits until the condition gives something else than undefined and false; an error counts as not yet. Fails after
 * `timeoutMs` with the last error.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 120_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
