import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import { type Logger, silentLogger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Storage } from '#storage/storage.ts';
import { AdmissionChain } from '../../admission/admission-chain.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import { LoopbackClient } from '../../loopback/loopback-client.ts';
import { Registry } from '../../registry/registry.ts';
import { ServiceAllocator } from '../../registry/service-allocator.ts';
import type { UserInfo } from '../../request/user.ts';
import { Verbs } from '../../verbs/verbs.ts';
import { bootstrapWorkspaces } from '../../workspace/bootstrap.ts';
import { FederationHandlers } from '../../workspace/federation-handlers.ts';
import { FirstTouch } from '../../workspace/first-touch.ts';
import { SchemeCatalog } from '../../workspace/scheme-catalog.ts';
import { standingCheck } from '../../workspace/standing-workspace.ts';
import { WorkspaceIndex } from '../../workspace/workspace-index.ts';
import { WorkspaceLifecycle } from '../../workspace/workspace-lifecycle.ts';
import { WorkspaceTypes } from '../../workspace/workspace-types.ts';
import { ServerControllers } from '../server-controllers.ts';
import { StoreEvents } from '../store-events.ts';

/** Everyone may do everything. */
export const allowAll: Authorizer = { authorize: () => ({ decision: 'allow', reason: '' }) };

export interface ServerFixture {
  readonly storage: CachedStorage;
  readonly schemes: SchemeCatalog;
  readonly index: WorkspaceIndex;
  readonly events: StoreEvents;
  readonly firstTouch: FirstTouch;
  readonly client: KubeClient;
  readonly controllers: ServerControllers;
  clientOf(user: UserInfo): KubeClient;
  stop(): Promise<void>;
}

/** An API server without HTTP and authentication on a store in memory: what workspaces and controllers need. */
export async function startServerFixture(
  options: {
    readonly clock?: Clock | undefined;
    readonly authorizer?: Authorizer | undefined;
    readonly inner?: Storage | undefined;
    readonly logger?: Logger | undefined;
    /** Default true. */
    readonly controllers?: boolean | undefined;
  } = {},
): Promise<ServerFixture> {
  const { clock = systemClock, authorizer = allowAll, logger = silentLogger } = options;
  const storage = await openCachedStorage(options.inner ?? createMemoryStorage());
  const schemes = new SchemeCatalog({ builtin: builtinDefinitions(), project: [] });
  const index = new WorkspaceIndex({ storage, schemes, clock });
  const externalUrl = () => 'https://cellplane.test:6443';
  await bootstrapWorkspaces({ storage, schemes, index, externalUrl, clock });
  const types = new WorkspaceTypes(storage, index);
  const lifecycle = new WorkspaceLifecycle({ storage, index, types, authorizer, externalUrl, clock });
  const registry = new Registry({ storage, allocators: [new ServiceAllocator(), lifecycle.allocator] });
  const events = new StoreEvents(storage, clock);
  const federation = new FederationHandlers({ storage, events, index, clock });
  const verbs = new Verbs({
    registry,
    admission: new AdmissionChain([lifecycle]),
    handlers: federation.handlers,
    assertStands: storage.awaitSettled === undefined ? standingCheck(index) : undefined,
    clock,
  });
  const client = new LoopbackClient({ verbs, workspaces: index });
  const rootCa = () => 'PEM';
  const firstTouch = new FirstTouch({
    storage,
    rootCa,
    advertise: () => ({ address: '192.0.2.1', port: 6443 }),
    kubernetesServiceIp: '10.96.0.1',
    clock,
  });
  const controllers = new ServerControllers({ storage, events, index, client, clock, logger, rootCa });
  if (options.controllers !== false) controllers.start();
  return {
    storage,
    schemes,
    index,
    events,
    firstTouch,
    client,
    controllers,
    clientOf: (user) => new LoopbackClient({ verbs, workspaces: index, user }),
    stop: async () => {
      await controllers.stop();
      await federation.close();
      events.close();
      index.close();
      schemes.close();
      verbs.endAllWatches();
      await client.close();
      await storage.close();
    },
  };
}

/** Waits until `check` gives something other than undefined and false; fails after two minutes. */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  timeoutMs = 120_000,
): Promise<Exclude<T, undefined | false>> {
  const endsAt = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    if (performance.now() > endsAt) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
