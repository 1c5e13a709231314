import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { KubeClient } from '#client/client.ts';
import { LeaseHolder } from '#client/lease.ts';
import type { Logger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { KeyValue, Storage } from '#storage/storage.ts';
import type { AdmissionPlugin } from './admission/admission.ts';
import { AdmissionChain } from './admission/admission-chain.ts';
import { AppArmorFields } from './admission/app-armor.ts';
import { BindingWriter } from './admission/binding-writer.ts';
import { ClaimResize } from './admission/claim-resize.ts';
import { DefaultClass } from './admission/default-class.ts';
import { DefaultTolerations } from './admission/default-tolerations.ts';
import { DeviceAdminAccess } from './admission/device-admin-access.ts';
import { LimitRanger } from './admission/limit-ranger.ts';
import { NamespaceLifecycle } from './admission/namespace-lifecycle.ts';
import { NodeTaint } from './admission/node-taint.ts';
import { NotEnforced } from './admission/not-enforced.ts';
import { PodSecurity } from './admission/pod-security/pod-security.ts';
import { PodServiceAccount } from './admission/pod-service-account.ts';
import { MutatingPolicies } from './admission/policies/mutating-policies.ts';
import { ValidatingPolicies } from './admission/policies/validating-policies.ts';
import { Priority, systemPriorityClasses } from './admission/priority.ts';
import { RuntimeClassAdmission } from './admission/runtime-class.ts';
import { SignerPermission } from './admission/signer-permission.ts';
import { SigningRequestSubject } from './admission/signing-request-subject.ts';
import { MutatingWebhooks, ValidatingWebhooks } from './admission/webhooks/webhook-admission.ts';
import { WebhookCaller } from './admission/webhooks/webhook-caller.ts';
import { Aggregator } from './aggregation/aggregator.ts';
import { apiServiceGroup, apiServiceResource } from './aggregation/api-service.ts';
import { AuthenticationConfigMap } from './aggregation/authentication-config-map.ts';
import { CrdApiServices } from './aggregation/crd-api-services.ts';
import { localApiServices } from './aggregation/local-api-services.ts';
import { ProxyCertificates } from './aggregation/proxy-certificates.ts';
import type { Auditor } from './audit/audit.ts';
import type { JwtIssuer } from './authn/authentication-configuration.ts';
import type { TokenAuthenticator } from './authn/authenticator.ts';
import { CertificateAuthorities } from './authn/certificate-authorities.ts';
import { ComponentTokens } from './authn/component-tokens.ts';
import { ForeignAuthentication, type ForeignAuthenticationOptions } from './authn/foreign-authentication.ts';
import { SigningKey } from './authn/jwt.ts';
import { OidcAuthenticator } from './authn/oidc.ts';
import { ServiceAccountTokens } from './authn/service-account-tokens.ts';
import { TokenFileAuthenticator } from './authn/token-file.ts';
import { tokenRequestHandler } from './authn/token-request.ts';
import { TokenWebhook } from './authn/token-webhook.ts';
import { UnionAuthenticator } from './authn/union-authenticator.ts';
import { X509Authenticator } from './authn/x509.ts';
import {
  bootstrapClusterRoleBindings,
  bootstrapClusterRoles,
  bootstrapRoles,
  rootAccessBinding,
} from './authz/bootstrap-roles.ts';
import { componentRestrictionPlugin } from './authz/component-restriction.ts';
import { RbacEscalationPlugin } from './authz/escalation.ts';
import { ReturnPolicyGrantsPlugin } from './authz/return-policy-grants.ts';
import { reviewHandlers } from './authz/reviews.ts';
import { createServerAuthorizer, type ServerAuthorizer } from './authz/server-authorizer.ts';
import type { WebhookAuthorizer } from './authz/webhook-authorizer.ts';
import { backupMount } from './backup-mount.ts';
import { LeaderTerms, type TermControllers } from './controllers/leader-terms.ts';
import { ServerControllers } from './controllers/server-controllers.ts';
import { StoreEvents } from './controllers/store-events.ts';
import { ConversionWebhooks } from './crd/conversion-webhook.ts';
import { CrdCatalog } from './crd/crd-catalog.ts';
import { CrdController } from './crd/crd-controller.ts';
import { type DocumentResponse, discoveryResponse } from './discovery/discovery-response.ts';
import {
  bootstrapFlowSchemas,
  bootstrapPriorityLevels,
  flowControlGroup,
} from './flow-control/bootstrap-objects.ts';
import { FlowConfigurations } from './flow-control/flow-configurations.ts';
import { FlowController } from './flow-control/flow-controller.ts';
import { seatsOf } from './flow-control/seats.ts';
import type { HttpServerDependencies, PreparedResponse } from './http/dependencies.ts';
import { type HealthCheck, pingCheck } from './http/health.ts';
import { type AcceptedConnection, createHttpServer } from './http/server.ts';
import { LoopbackClient } from './loopback/loopback-client.ts';
import { loopbackRaw } from './loopback/loopback-raw.ts';
import { openApiResponse } from './openapi/openapi-response.ts';
import { prepareOpenApi } from './openapi/prepare.ts';
import type { ServerPki } from './pki/pki.ts';
import { keepRenewed } from './pki/renewal.ts';
import type { Allocator } from './registry/allocator.ts';
import { defaultServiceCidr } from './registry/default-service-cidr.ts';
import { type IpRange, parseIpRange } from './registry/ip-range.ts';
import { QuotaAllocator } from './registry/quota/quota-allocator.ts';
import { Registry } from './registry/registry.ts';
import { defaultServiceRange, ServiceAllocator } from './registry/service-allocator.ts';
import { FixedSharedObjects, type SharedObjects } from './registry/shared-objects.ts';
import { objectOf } from './registry/stored-object.ts';
import type { UserInfo } from './request/user.ts';
import { ServerMetrics } from './server-metrics.ts';
import { HookClient } from './services/hook-client.ts';
import { ServiceAddresses } from './services/service-address.ts';
import { ServiceNetworks } from './services/service-networks.ts';
import { handlerKey, type ResourceHandler } from './verbs/request.ts';
import { Verbs } from './verbs/verbs.ts';
import { virtualResource, virtualSubresource } from './verbs/virtual-resources.ts';
import { wellKnownMount } from './well-known.ts';
import { bootstrapWorkspaces } from './workspace/bootstrap.ts';
import { rootClusterId } from './workspace/cluster-ref.ts';
import { FederationHandlers } from './workspace/federation-handlers.ts';
import { FirstTouch } from './workspace/first-touch.ts';
import { type CustomDefinitions, SchemeCatalog } from './workspace/scheme-catalog.ts';
import { SingleWorkspace } from './workspace/single-workspace.ts';
import type { ClusterId, WorkspaceKind, WorkspaceResolver } from './workspace/workspace.ts';
import { type WorkspaceDirectory, WorkspaceIndex } from './workspace/workspace-index.ts';
import { WorkspaceLifecycle } from './workspace/workspace-lifecycle.ts';
import { WorkspaceTypes } from './workspace/workspace-types.ts';

export interface ApiServerOptions {
  /** `federation`: workspaces and cells. `edge`: one workspace, plain Kubernetes. */
  readonly mode: 'federation' | 'edge';
  /** Closed by the server's stop. */
  readonly storage: CachedStorage;
  readonly pki: ServerPki;
  /** Makes certificates that are due anew. Absent: they are left to expire. */
  readonly renewPki?: (() => Promise<ServerPki>) | undefined;
  readonly bindAddress: string;
  readonly port: number;
  /** False: no socket is opened, and the server is reached by `clientAs` alone. Default true. */
  readonly listens?: boolean | undefined;
  /** Host that clients reach the server by. */
  readonly externalHost: string;
  /** Kinds of project workspaces. */
  readonly projectDefinitions: readonly ResourceDefinition[];
  /** CSV of static tokens (KUBERNETES.md U1). */
  readonly tokenFile?: string | undefined;
  /** OpenID Connect issuers whose tokens are believed (KUBERNETES.md U1). */
  readonly tokenIssuers?: readonly JwtIssuer[] | undefined;
  /** `iss` of service-account tokens: the first signs, all are believed (U2). Default: `https://<external host>`. */
  readonly serviceAccountIssuers?: readonly string[] | undefined;
  /** Whether requests without credentials are the anonymous user's. Default true. */
  readonly allowsAnonymous?: boolean | undefined;
  /** This server behind another one's aggregation layer or an authenticating proxy (KUBERNETES.md O1). */
  readonly foreign?: ForeignAuthenticationOptions | undefined;
  /** Authorizers inside workspaces in their order (KUBERNETES.md U5); default: RBAC alone. Closed by the server's stop. */
  readonly authorizers?: readonly ('RBAC' | WebhookAuthorizer)[] | undefined;
  /** Asked by TokenReview about tokens that nobody else knows (KUBERNETES.md U1); `server` is the URL to post to. */
  readonly tokenWebhook?: ServerConnection | undefined;
  /** What is audited, and where to (KUBERNETES.md O3); closed by the server's stop. Absent: nothing is. */
  readonly auditor?: Auditor | undefined;
  /** Whether a value is sealed with a key that is no longer the one to write with (KUBERNETES.md O5). */
  readonly isStale?: ((entry: KeyValue) => boolean) | undefined;
  /** What backups are read from, below encryption. Default: `storage`. */
  readonly backupSource?: Storage | undefined;
  /** Beside those of the server itself. */
  readonly healthChecks?: readonly HealthCheck[] | undefined;
  /** Networks in which Services are reached, for APIServices and webhooks. Default: `ServiceNetworks.byDefault`. */
  readonly serviceNetworks?: ServiceNetworks | undefined;
  /** Where Services' addresses come from: one range, or one of each family. Default: `defaultServiceRange`. */
  readonly serviceRanges?: readonly IpRange[] | undefined;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shutdownDelayMs?: number | undefined;
}

export interface ApiServer {
  readonly port: number;
  /** `https://host:port`. */
  readonly url: string;
  /** The server's own user, without sockets. */
  readonly loopbackClient: KubeClient;
  /** A client in this process as that user, authorized as over the network. */
  clientAs(user: UserInfo): KubeClient;
  /** Serves HTTP/1.1 on a connection in this process, as on one that came through the port. */
  accept(connection: AcceptedConnection): void;
  /** Ends requests, watches and controllers, then closes the storage. Idempotent. */
  stop(): Promise<void>;
}

/** How long controllers may rest after the server that ran them died. */
const controllerLeaseMs = 10_000;
/** Shared objects look the same in every process. */
const sharedCreatedAt = '2026-01-01T00:00:00Z';

interface Workspaces {
  readonly resolver: WorkspaceResolver;
  readonly directory: WorkspaceDirectory;
  /** Undefined at an edge. */
  readonly index: WorkspaceIndex | undefined;
  readonly cellsClusterId: string | undefined;
}

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
  const authorization = createServerAuthorizer({
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
  if (tokenWebhook !== undefined) issuers.push(new TokenWebhook({ connection: tokenWebhook, logger }));
  if (foreign?.tokens !== undefined) issuers.push(foreign.tokens);
  const metrics = new ServerMetrics(storage);
  const authenticator = createAuthenticator(options, serviceAccountTokens, issuers, foreign, metrics);
  const verbs = new Verbs({
    registry,
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
      }),
    ),
    handlers: createHandlers({ authorization, authenticator, serviceAccountTokens, storage, federation }),
  });
  index?.onChange(({ id }, change) => {
    if (change === 'removed') verbs.endWatches(id);
  });
  crds.onCrd((clusterId, _name, record, previous) => {
    const gone = previous?.definition;
    if (gone !== undefined && record?.definition === undefined)
      verbs.endWatches(clusterId as ClusterId, gone);
  });
  const loopbackClient = new LoopbackClient({ verbs, workspaces: resolver });
  const aggregator = new Aggregator({
    storage,
    directory,
    client: loopbackClient,
    certificates: proxyCertificates,
    networks,
    clock,
    logger,
  });
  const controllers = createControllers(options, loopbackClient, () => {
    const server = new ServerControllers({
      storage,
      events,
      index: directory,
      client: loopbackClient,
      clock,
      logger,
      rootCa,
      workspaces: mode === 'federation',
    });
    const crd = new CrdController({
      catalog: crds,
      client: loopbackClient,
      baseScheme: (clusterId) => {
        const record = directory.recordOf(clusterId);
        return record === undefined ? undefined : schemes.baseOf(record.kind);
      },
      clock,
      logger,
    });
    const apiServices = new CrdApiServices(
      { storage, events, index: directory, client: loopbackClient, clock, logger },
      crds,
    );
    return {
      start: () => {
        server.start();
        crd.start();
        apiServices.start();
      },
      stop: async () => {
        await Promise.all([server.stop(), crd.stop(), apiServices.stop()]);
      },
    };
  });
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
    authenticator,
    homeOf: foreign === undefined ? undefined : (user) => foreign.homeOf(user),
    authorizer: authorization.authorizer,
    resolver,
    verbs,
    discovery: (scheme, path, request) => prepared(discoveryResponse(scheme, path, request)),
    openapi: (scheme, path, query, request) => prepared(openApiResponse(scheme, path, query, request)),
    touch: (workspace) => firstTouch.touch(workspace),
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
  foreign?.follow(clock, logger, () => http.renewCertificate(tls(shown)));
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
        authorizer: authorization.authorizer,
        raw: loopbackRaw({ resolver, storage, version: options.version }),
      }),
    accept: (connection) => http.accept(connection),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** On a store of its own a server runs the controllers at once and always; of several on one store, one does. */
function createControllers(
  { storage, clock, logger, mode }: ApiServerOptions,
  client: KubeClient,
  make: () => TermControllers,
): TermControllers {
  if (storage.awaitSettled !== undefined) return make();
  const lease = new LeaseHolder({
    client,
    lease: {
      cluster: mode === 'edge' ? undefined : 'root',
      gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
      namespace: 'kube-system',
      name: 'cellplane-apiserver',
    },
    identity: `${hostname()}_${randomUUID()}`,
    clock,
    logger,
    durationMs: controllerLeaseMs,
    renewIntervalMs: controllerLeaseMs / 5,
  });
  return new LeaderTerms({ lease, make, logger });
}

function prepared(response: DocumentResponse | undefined): PreparedResponse | undefined {
  return response === undefined ? undefined : { ...response, code: response.status };
}

/** CRDs are kept by the cluster id in their storage key, which is a workspace's. */
function customDefinitions(crds: CrdCatalog): CustomDefinitions {
  return {
    definitionsOf: (clusterId) => crds.definitionsOf(clusterId),
    onChange: (listener) => crds.onChange((clusterId) => listener(clusterId as ClusterId)),
    allDefinitions: () => crds.allDefinitions(),
  };
}

async function openWorkspaces(
  { mode, storage, clock }: ApiServerOptions,
  schemes: SchemeCatalog,
  externalUrl: () => string,
): Promise<Workspaces> {
  if (mode === 'edge') {
    const single = new SingleWorkspace(schemes);
    return { resolver: single, directory: single, index: undefined, cellsClusterId: undefined };
  }
  const index = new WorkspaceIndex({ storage, schemes, clock });
  await bootstrapWorkspaces({ storage, schemes, index, externalUrl, clock });
  return { resolver: index, directory: index, index, cellsClusterId: index.find(cellsWorkspacePath)?.id };
}

function createAuthenticator(
  { pki, tokenFile, allowsAnonymous }: ApiServerOptions,
  serviceAccountTokens: ServiceAccountTokens,
  issuers: readonly TokenAuthenticator[],
  foreign: ForeignAuthentication | undefined,
  { certificateLifetimes }: ServerMetrics,
): UnionAuthenticator {
  const tokens: TokenAuthenticator[] = [
    new ComponentTokens([new SigningKey(pki.serviceAccountKey)]),
    serviceAccountTokens,
    ...issuers,
  ];
  if (tokenFile !== undefined)
    tokens.unshift(new TokenFileAuthenticator(tokenFile, serviceAccountTokens.apiAudiences));
  const { authenticators = [] } = foreign ?? {};
  // Others than the server's own authority may have signed a certificate only where others are known.
  const own = authenticators.length === 0 ? undefined : new CertificateAuthorities(pki.ca.certificatePem);
  return new UnionAuthenticator({
    authenticators: [
      ...authenticators,
      new X509Authenticator(Date.now, own, undefined, certificateLifetimes),
    ],
    tokens,
    allowsAnonymous,
  });
}

function admissionPlugins(parts: {
  readonly storage: CachedStorage;
  readonly lifecycle: WorkspaceLifecycle | undefined;
  readonly firstTouch: FirstTouch;
  readonly authorization: ServerAuthorizer;
  readonly webhookCaller: WebhookCaller;
  readonly isAudited: boolean;
}): AdmissionPlugin[] {
  const { storage, lifecycle, firstTouch, authorization, webhookCaller, isAudited } = parts;
  const { authorizer } = authorization;
  return [
    ...(lifecycle === undefined ? [] : [lifecycle]),
    new NamespaceLifecycle({ storage, ensure: (workspace) => firstTouch.touch(workspace) }),
    new SigningRequestSubject(),
    new AppArmorFields(),
    new LimitRanger(storage),
    new PodServiceAccount(storage),
    new NodeTaint(),
    new PodSecurity(storage),
    new Priority(storage),
    new DefaultTolerations(),
    DefaultClass.storage(storage),
    new ClaimResize(storage),
    new RuntimeClassAdmission(storage),
    new SignerPermission(authorizer),
    DefaultClass.ingress(storage),
    new MutatingPolicies({ storage, authorizer }),
    new MutatingWebhooks({ storage, caller: webhookCaller, authorizer }),
    new BindingWriter(),
    componentRestrictionPlugin,
    new RbacEscalationPlugin(authorization.authorizer, authorization.rbac),
    new ReturnPolicyGrantsPlugin(authorization.authorizer),
    new DeviceAdminAccess(storage),
    new ValidatingPolicies({ storage, authorizer }),
    new ValidatingWebhooks({ storage, caller: webhookCaller, authorizer }),
    ...(isAudited ? [] : [new NotEnforced()]),
  ];
}

function createHandlers(parts: {
  readonly authorization: ServerAuthorizer;
  readonly authenticator: UnionAuthenticator;
  readonly serviceAccountTokens: ServiceAccountTokens;
  readonly storage: CachedStorage;
  readonly federation: FederationHandlers | undefined;
}): ReadonlyMap<string, ResourceHandler> {
  const { authorization, authenticator, serviceAccountTokens, storage, federation } = parts;
  const handlers = new Map<string, ResourceHandler>(federation?.handlers ?? []);
  const reviews = reviewHandlers({ ...authorization, tokens: authenticator });
  for (const [key, handler] of reviews) handlers.set(key, virtualResource(handler));
  handlers.set(
    handlerKey('', 'serviceaccounts', 'token'),
    virtualSubresource(tokenRequestHandler(serviceAccountTokens, storage), {
      group: 'authentication.k8s.io',
      version: 'v1',
      kind: 'TokenRequest',
    }),
  );
  return handlers;
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

/** Bootstrap roles and what flow control is made of are shared over all workspaces, not copied into them. */
function sharedObjects(
  builtin: readonly ResourceDefinition[],
  schemes: SchemeCatalog,
  rootCa: () => string,
  certificates: ProxyCertificates,
  serviceRanges: readonly IpRange[],
): SharedObjects {
  const find = (group: string, resource: string) => {
    const found = builtin.find((one) => one.group === group && one.resource === resource);
    if (found === undefined) throw new Error(`the catalogue lacks ${resource}`);
    return found;
  };
  const rbac = (resource: string) => find('rbac.authorization.k8s.io', resource);
  const sharedBy = (bindings: readonly KubeObject[]) =>
    new FixedSharedObjects(
      [
        { definition: rbac('clusterroles'), objects: bootstrapClusterRoles },
        { definition: rbac('roles'), objects: bootstrapRoles },
        { definition: rbac('clusterrolebindings'), objects: bindings },
        { definition: find(flowControlGroup, 'flowschemas'), objects: bootstrapFlowSchemas },
        {
          definition: find(flowControlGroup, 'prioritylevelconfigurations'),
          objects: bootstrapPriorityLevels,
        },
        { definition: find('scheduling.k8s.io', 'priorityclasses'), objects: systemPriorityClasses },
        {
          definition: find('networking.k8s.io', 'servicecidrs'),
          objects: [defaultServiceCidr(serviceRanges, sharedCreatedAt)],
        },
      ],
      { createdAt: sharedCreatedAt, appliesTo: (workspace) => !workspace.inert },
    );
  const everywhere = sharedBy(bootstrapClusterRoleBindings);
  // Everyone who is authenticated may enter root (KCP.md, Identity and rights).
  const inRoot = sharedBy([...bootstrapClusterRoleBindings, rootAccessBinding]);
  const authenticationConfig = new AuthenticationConfigMap({
    definition: find('', 'configmaps'),
    clientCaPem: rootCa,
    requestHeaderCaPem: certificates.authorityPem,
    createdAt: sharedCreatedAt,
  });
  const apiServices = new Map<WorkspaceKind, SharedObjects>();
  const apiServicesOf = (kind: WorkspaceKind): SharedObjects => {
    let objects = apiServices.get(kind);
    if (objects === undefined) {
      const definition = find(apiServiceGroup, apiServiceResource);
      const local = localApiServices(schemes.baseOf(kind).definitions, sharedCreatedAt);
      objects = new FixedSharedObjects([{ definition, objects: local }], { createdAt: sharedCreatedAt });
      apiServices.set(kind, objects);
    }
    return objects;
  };
  return {
    of: (workspace, storedAs) => {
      if (storedAs.resource === 'configmaps' && storedAs.group === '') {
        return workspace.inert ? undefined : authenticationConfig;
      }
      if (storedAs.resource === apiServiceResource && storedAs.group === apiServiceGroup) {
        return workspace.inert ? undefined : apiServicesOf(workspace.type).of(workspace, storedAs);
      }
      return (workspace.type === 'root' ? inRoot : everywhere).of(workspace, storedAs);
    },
  };
}
