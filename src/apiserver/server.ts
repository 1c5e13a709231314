import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { AdmissionChain } from './admission/admission-chain.ts';
import { WebhookCaller } from './admission/webhooks/webhook-caller.ts';
import { Aggregator } from './aggregation/aggregator.ts';
import { ProxyCertificates } from './aggregation/proxy-certificates.ts';
import type { TokenAuthenticator } from './authn/authenticator.ts';
import { ForeignAuthentication } from './authn/foreign-authentication.ts';
import { SigningKey } from './authn/jwt.ts';
import { OidcAuthenticator } from './authn/oidc.ts';
import { ServiceAccountTokens } from './authn/service-account-tokens.ts';
import { TokenWebhook } from './authn/token-webhook.ts';
import { createServerAuthorizer } from './authz/server-authorizer.ts';
import { backupMount } from './backup-mount.ts';
import { StoreEvents } from './controllers/store-events.ts';
import { ConversionWebhooks } from './crd/conversion-webhook.ts';
import { CrdCatalog } from './crd/crd-catalog.ts';
import { type DocumentResponse, discoveryResponse } from './discovery/discovery-response.ts';
import { FlowConfigurations } from './flow-control/flow-configurations.ts';
import { FlowController } from './flow-control/flow-controller.ts';
import { seatsOf } from './flow-control/seats.ts';
import type { HttpServerDependencies } from './http/dependencies.ts';
import { type HealthCheck, pingCheck } from './http/health.ts';
import type { PreparedResponse } from './http/prepared-response.ts';
import { createHttpServer } from './http/server.ts';
import { LoopbackClient } from './loopback/loopback-client.ts';
import { loopbackRaw } from './loopback/loopback-raw.ts';
import { openApiResponse } from './openapi/openapi-response.ts';
import { prepareOpenApi } from './openapi/prepare.ts';
import type { ServerPki } from './pki/pki.ts';
import { keepRenewed } from './pki/renewal.ts';
import type { Allocator } from './registry/allocator.ts';
import { parseIpRange } from './registry/ip-range.ts';
import { QuotaAllocator } from './registry/quota/quota-allocator.ts';
import { Registry } from './registry/registry.ts';
import { defaultServiceRange, ServiceAllocator } from './registry/service-allocator.ts';
import { objectOf } from './registry/stored-object.ts';
import { admissionPlugins } from './server/admission-plugins.ts';
import { createAuthenticator } from './server/authenticators.ts';
import { electedControllers, termControllers } from './server/controllers.ts';
import { endWatchesOfWhatGoes } from './server/end-watches.ts';
import { createHandlers } from './server/handlers.ts';
import type { ApiServer, ApiServerOptions } from './server/options.ts';
import { sharedObjects } from './server/shared-objects.ts';
import { customDefinitions, openWorkspaces } from './server/workspaces.ts';
import { ServerMetrics } from './server-metrics.ts';
import { HookClient } from './services/hook-client.ts';
import { ServiceAddresses } from './services/service-address.ts';
import { ServiceNetworks } from './services/service-networks.ts';
import { Verbs } from './verbs/verbs.ts';
import { wellKnownMount } from './well-known.ts';
import { rootClusterId } from './workspace/cluster-ref.ts';
import { FederationHandlers } from './workspace/federation-handlers.ts';
import { FirstTouch } from './workspace/first-touch.ts';
import { SchemeCatalog } from './workspace/scheme-catalog.ts';
import { standingAuthorizer, standingCheck } from './workspace/standing-workspace.ts';
import { WorkspaceLifecycle } from './workspace/workspace-lifecycle.ts';
import { WorkspaceTypes } from './workspace/workspace-types.ts';

/** Puts the parts of an API server together over a storage, and listens. Throws when the port cannot be had. */
export async function startServer(options: ApiServerOptions): Promise<ApiServer> {
  const { storage, pki, clock, logger, mode } = options;
  const stopping = new AbortController();
  let port = options.port;
  const externalUrl = () => `https://${options.externalHost}:${port}`;
  const rootCa = () => pki.ca.certificatePem;

  const crds = new CrdCatalog({ storage, objectOf, clock, logger });
  crds.start(stopping.signal);
  const builtin = builtinDefinitions();
  const schemes = new SchemeCatalog({
    builtin,
    project: options.projectDefinitions,
    custom: customDefinitions(crds),
  });
  const { resolver, directory, index, cellsClusterId } = await openWorkspaces(options, schemes, externalUrl);
  const foreign =
    options.foreign === undefined
      ? undefined
      : await ForeignAuthentication.open(options.foreign, (path) => resolver.resolve(path), logger);
  const chain = options.authorizers ?? ['RBAC'];
  const webhooks = chain.filter((one) => one !== 'RBAC');
  const metrics = new ServerMetrics(storage, options.auditor);
  const authorization = createServerAuthorizer({
    metrics: metrics.authorization,
    cache: storage,
    resolver,
    cellsClusterId,
    logger,
    before: webhooks.slice(0, chain.indexOf('RBAC')),
    after: [...webhooks.slice(chain.indexOf('RBAC')), foreign?.authorizer].filter((one) => one !== undefined),
  });
  authorization.start();

  const serviceRanges = [
    options.serviceRanges?.[0] ?? parseIpRange(defaultServiceRange),
    ...(options.serviceRanges?.slice(1) ?? []),
  ] as const;
  const firstTouch = new FirstTouch({
    storage,
    rootCa,
    advertise: () => ({ address: '127.0.0.1', port }),
    // The first address of the first range is the Service `kubernetes` of each workspace.
    kubernetesServiceIp: serviceRanges[0].address(1),
    clock,
  });
  const lifecycle =
    index === undefined
      ? undefined
      : new WorkspaceLifecycle({
          storage,
          index,
          types: new WorkspaceTypes(storage, index),
          authorizer: authorization.authorizer,
          externalUrl,
          clock,
        });
  const allocators: Allocator[] = [new ServiceAllocator({ serviceRanges }), new QuotaAllocator()];
  if (lifecycle !== undefined) allocators.push(lifecycle.allocator);
  const networks = options.serviceNetworks ?? ServiceNetworks.byDefault;
  const hooks = new HookClient(new ServiceAddresses(storage), networks);
  const proxyCertificates = new ProxyCertificates(pki.ca);
  const registry = new Registry({
    storage,
    shared: sharedObjects(builtin, schemes, rootCa, proxyCertificates, serviceRanges),
    allocators,
    clock,
    mustRewrite: options.isStale,
    conversions: new ConversionWebhooks(hooks),
  });
  const events = new StoreEvents(storage, clock, logger);
  const federation =
    index === undefined ? undefined : new FederationHandlers({ storage, events, index, clock });
  const serviceAccountTokens = new ServiceAccountTokens({
    keys: [new SigningKey(pki.serviceAccountKey)],
    issuer: options.serviceAccountIssuers?.[0] ?? `https://${options.externalHost}`,
    formerIssuers: options.serviceAccountIssuers?.slice(1),
    cache: storage,
  });
  const webhookCaller = new WebhookCaller(hooks);
  const issuers: (TokenAuthenticator & { close(): Promise<void> })[] = (options.tokenIssuers ?? []).map(
    (issuer) => new OidcAuthenticator({ issuer, logger }),
  );
  const { tokenWebhook } = options;
  if (tokenWebhook !== undefined)
    issuers.push(new TokenWebhook({ connection: tokenWebhook, logger, metrics: metrics.tokenCache }));
  if (foreign?.tokens !== undefined) issuers.push(foreign.tokens);
  const authenticator = createAuthenticator(options, serviceAccountTokens, issuers, foreign, metrics);
  const assertStands = storage.awaitSettled === undefined ? standingCheck(resolver) : undefined;
  const authorizer =
    assertStands === undefined
      ? authorization.authorizer
      : standingAuthorizer(authorization.authorizer, assertStands);
  const verbs = new Verbs({
    registry,
    assertStands,
    clock,
    authorizer: authorization.authorizer,
    admission: new AdmissionChain(
      admissionPlugins({
        storage,
        lifecycle,
        firstTouch,
        authorization,
        webhookCaller,
        isAudited: options.auditor !== undefined,
        metrics: metrics.admission,
      }),
      metrics.admission,
    ),
    handlers: createHandlers({ authorization, authenticator, serviceAccountTokens, storage, federation }),
  });
  endWatchesOfWhatGoes(verbs, crds, index);
  const loopbackClient = new LoopbackClient({ verbs, workspaces: resolver });
  const aggregator = new Aggregator({
    storage,
    events,
    directory,
    client: loopbackClient,
    certificates: proxyCertificates,
    networks,
    clock,
    logger,
  });
  const controllers = electedControllers(options, loopbackClient, () =>
    termControllers({
      options,
      crds,
      schemes,
      events,
      directory,
      client: loopbackClient,
      rootCa,
      queues: metrics.queues,
    }),
  );
  const flowConfigurations = new FlowConfigurations({
    storage,
    serverClusterId: rootClusterId,
    logger,
  });
  flowConfigurations.start();
  const flowControl = new FlowController({
    configurations: flowConfigurations,
    seatsOf: ({ info, workspace }) =>
      seatsOf(info, workspace, workspace?.scheme ?? resolver.wildcardScheme(), storage),
    isShared: mode === 'federation',
  });
  let shown = pki;
  const tls = (used: ServerPki) => tlsOf(used, foreign?.authoritiesPem ?? []);
  const http = createHttpServer({
    listen: { host: options.bindAddress, port },
    tls: tls(pki),
    authenticator: metrics.authentication.counted(authenticator),
    homeOf: foreign === undefined ? undefined : (user) => foreign.homeOf(user),
    authorizer,
    incarnationId: storage.incarnationId,
    resolver,
    verbs,
    discovery: (scheme, path, request) => prepared(discoveryResponse(scheme, path, request)),
    openapi: (scheme, path, query, request) => prepared(openApiResponse(scheme, path, query, request)),
    touch: (workspace) => firstTouch.touch(workspace),
    assertStands,
    awaitFresh: () => (storage.awaitSettled === undefined ? storage.awaitFresh() : undefined),
    flowControl,
    metricsText: () => flowControl.render() + metrics.render(),
    aggregator,
    audit: options.auditor,
    healthChecks: [pingCheck, storageCheck(storage), ...(options.healthChecks ?? [])],
    openId: serviceAccountTokens,
    version: options.version,
    mounts: [wellKnownMount(storage), backupMount(options.backupSource ?? storage, clock)],
    logger,
    shutdownDelayMs: options.shutdownDelayMs,
  });
  aggregator.start();
  if (options.listens !== false) ({ port } = await http.listen());
  controllers.start();
  foreign?.follow(clock, logger, () => http.trustOthers(tls(shown)));
  const stopRenewal =
    options.renewPki === undefined
      ? () => {}
      : keepRenewed({
          pki,
          renew: options.renewPki,
          use: (renewed) => {
            shown = renewed;
            http.renewCertificate(tls(renewed));
          },
          clock,
          logger,
        });
  // The documents that every client asks for first; made a piece at a time, so that nobody waits for the whole.
  void prepareOpenApi(schemes.baseOf(mode === 'edge' ? 'edge' : 'project'), stopping.signal).catch(
    (error: unknown) => {
      if (!stopping.signal.aborted) logger.warn({ err: error }, 'OpenAPI documents could not be prepared');
    },
  );

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopRenewal();
    if (options.listens !== false) await http.stop();
    await options.auditor?.close();
    stopping.abort();
    await Promise.all([controllers.stop(), aggregator.stop(), federation?.close()]);
    await Promise.all([
      loopbackClient.close(),
      hooks.close(),
      foreign?.close(),
      ...webhooks.map((webhook) => webhook.close()),
      ...issuers.map((issuer) => issuer.close()),
    ]);
    events.close();
    flowConfigurations.stop();
    authorization.stop();
    index?.close();
    schemes.close();
    await storage.close();
  };
  return {
    port,
    url: externalUrl(),
    loopbackClient,
    clientAs: (user) =>
      new LoopbackClient({
        verbs,
        workspaces: resolver,
        user,
        authorizer,
        raw: loopbackRaw({ resolver, storage, version: options.version }),
      }),
    accept: (connection) => http.accept(connection),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function prepared(response: DocumentResponse | undefined): PreparedResponse | undefined {
  return response === undefined ? undefined : { ...response, code: response.status };
}

function tlsOf({ serving, ca }: ServerPki, others: readonly string[]): HttpServerDependencies['tls'] {
  return {
    certificatePem: serving.certificatePem,
    keyPem: serving.keyPem,
    clientCaPem: others.length === 0 ? ca.certificatePem : [ca.certificatePem, ...others],
  };
}

/** Not ready while the store recovers from a failed write, or is not reached. */
function storageCheck(storage: CachedStorage): HealthCheck {
  return { name: 'storage', kind: 'readyz', check: () => storage.awaitFresh() };
}
