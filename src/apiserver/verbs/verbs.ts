import {
  ApiError,
  methodNotAllowed,
  notFound,
  pathMethodNotAllowed,
  pathNotFound,
} from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import { formatGroupResource } from '#apimachinery/gvk.ts';
import type { Subresource, Verb } from '#apimachinery/resource-definition.ts';
import { AdmissionChain } from '../admission/admission-chain.ts';
import { forbiddenError } from '../authz/attributes.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from '../authz/authorizer.ts';
import type { ConversionWebhooks } from '../crd/conversion-webhook.ts';
import { isRefusal } from '../registry/confirmed-write.ts';
import type { Registry } from '../registry/registry.ts';
import { fromStorageError } from '../registry/storage-errors.ts';
import type { ResourceContext } from '../request/context.ts';
import { derivedContext } from '../request/derived-context.ts';
import type { StandingCheck } from '../workspace/standing-workspace.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import { ContinueTokens } from './continue-token.ts';
import { convertedResult } from './converting.ts';
import { mediaTypeOf } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { getObject } from './get.ts';
import { checkPatchType, patchObject } from './patch.ts';
import { bindNamedPod, bindPod, evictPod } from './pod-subresources.ts';
import { handlerKey, type ResourceHandler, type VerbRequest } from './request.ts';
import type { VerbResult } from './result.ts';
import { serveScale } from './scale.ts';
import { serveStored } from './serve-stored.ts';
import { subresourceMerges } from './subresource-merges.ts';
import { updateObject } from './update.ts';
import type { WatchSession } from './watch.ts';
import { WatchTimers } from './watch-timers.ts';

export interface VerbsOptions {
  readonly registry: Registry;
  readonly admission?: AdmissionChain | undefined;
  /** Asked when an update or apply is about to create (C4, P3). Absent: whoever may write may create. */
  readonly authorizer?: Authorizer | undefined;
  /** Handlers of virtual resources and of subresources that are not generic, by `handlerKey`. */
  readonly handlers?: ReadonlyMap<string, ResourceHandler> | undefined;
  /** Throws when what was done, or refused, concerns a workspace that is gone by now; absent where none can be. */
  readonly assertStands?: StandingCheck | undefined;
  readonly clock?: Clock | undefined;
  /** Default Math.random; spreads the ends of watches (W4). */
  readonly random?: (() => number) | undefined;
}

/** Everything that can be asked of a resource, whoever asks: HTTP and the loopback client both end here. */
export class Verbs {
  readonly #environment: VerbEnvironment;
  readonly #sessions = new Set<WatchSession>();
  readonly #handlers: ReadonlyMap<string, ResourceHandler>;
  readonly #authorizer: Authorizer | undefined;
  readonly #conversions: ConversionWebhooks | undefined;
  readonly #assertStands: StandingCheck | undefined;

  constructor(options: VerbsOptions) {
    const { registry } = options;
    const clock = options.clock ?? systemClock;
    this.#handlers = options.handlers ?? new Map();
    this.#authorizer = options.authorizer;
    this.#conversions = registry.conversions;
    this.#assertStands = options.assertStands;
    this.#environment = {
      registry,
      clock,
      admission: options.admission ?? new AdmissionChain([]),
      tokens: new ContinueTokens(registry.storage.controlPlaneId),
      authorizeCreate: (context) => this.#authorizeCreate(context),
      watch: {
        registry,
        clock,
        timers: new WatchTimers(clock),
        sessions: this.#sessions,
        random: options.random ?? Math.random,
      },
    };
  }

  /** Watches under way. */
  get watchCount(): number {
    return this.#sessions.size;
  }

  /**
   * Does what `context.info.verb` says. Throws or rejects with ApiErrors; synchronous where everything needed is in
   * memory: a GET or LIST on an embedded store always is.
   */
  execute(context: ResourceContext, request: VerbRequest): VerbResult | Promise<VerbResult> {
    if (this.#assertStands !== undefined) return this.#standing(this.#assertStands, context, request);
    return this.#execute(context, request);
  }

  /** An answer, and a refusal, is given where the workspace that it is about still stands. */
  async #standing(
    assertStands: StandingCheck,
    context: ResourceContext,
    request: VerbRequest,
  ): Promise<VerbResult> {
    let result: VerbResult;
    try {
      result = await this.#execute(context, request);
    } catch (error) {
      if (isRefusal(error)) assertStands(context.workspace);
      throw error;
    }
    assertStands(context.workspace);
    return result;
  }

  #execute(context: ResourceContext, request: VerbRequest): VerbResult | Promise<VerbResult> {
    try {
      if (this.#conversions !== undefined && context.served.definition.conversion !== undefined) {
        return this.#converted(this.#conversions, context, request);
      }
      const result = this.#dispatch(context, request);
      return result instanceof Promise ? result.catch(rethrow) : result;
    } catch (error) {
      return rethrow(error);
    }
  }

  /** KUBERNETES.md R7: what is stored in one shape is answered in another. Over all workspaces only metadata is seen. */
  async #converted(
    webhooks: ConversionWebhooks,
    context: ResourceContext,
    request: VerbRequest,
  ): Promise<VerbResult> {
    try {
      const result = await this.#dispatch(inScaledVersion(context), request);
      if (context.workspace === undefined) return result;
      return await convertedResult(result, webhooks, context.workspace.id);
    } catch (error) {
      return rethrow(error);
    }
  }

  /**
   * Ends the watches of a workspace that goes away, or only those on one resource that it no longer serves. Clients see
   * a clean end, come back and are told.
   */
  endWatches(
    clusterId: ClusterId,
    resource?: { readonly group: string; readonly resource: string; readonly version?: string },
  ): void {
    for (const session of [...this.#sessions]) {
      const { workspace, served } = session.scope;
      if (workspace?.id !== clusterId) continue;
      const { definition, version } = served;
      if (
        resource !== undefined &&
        (definition.group !== resource.group ||
          definition.resource !== resource.resource ||
          (resource.version ?? version.version) !== version.version)
      ) {
        continue;
      }
      session.end(undefined);
    }
  }

  /** Ends all watches cleanly: the server stops. */
  endAllWatches(): void {
    for (const session of [...this.#sessions]) session.end(undefined);
  }

  /** Throws what is wrong with a request before anybody asks in which form it is to be answered: 405, 415 of a patch. */
  checkRoute(context: ResourceContext, contentType: string): void {
    const { served, info } = context;
    const { definition, version } = served;
    if (context.subresource === '') {
      if (!isRouted(context)) throw wrongMethod(context);
    } else {
      const known = version.subresources.find((one) => one.name === context.subresource);
      if (known === undefined) throw unknownSubresource(context);
      if (!known.verbs.includes(info.verb as Verb)) throw wrongMethod(context);
    }
    if (info.verb === 'patch') checkPatchType(mediaTypeOf(contentType), definition);
  }

  #dispatch(context: ResourceContext, request: VerbRequest): VerbResult | Promise<VerbResult> {
    const { definition, version } = context.served;
    if (version.deprecationWarning !== undefined) context.warnings.push(version.deprecationWarning);
    if (context.subresource !== '') return this.#subresource(context, request);
    if (!isRouted(context)) throw wrongMethod(context);
    const handler = this.#handlers.get(handlerKey(definition.group, definition.resource));
    if (handler !== undefined) return handler(context, request, this.#environment);
    if (definition.virtual === true) {
      if (definition.group === '' && definition.resource === 'bindings') {
        return bindNamedPod(this.#environment, context, request);
      }
      throw new ApiError('NotImplemented', `${formatGroupResource(definition)} is not served here`);
    }
    return serveStored(this.#environment, context, request);
  }

  #subresource(context: ResourceContext, request: VerbRequest): VerbResult | Promise<VerbResult> {
    const { served, info, subresource } = context;
    const { definition, version } = served;
    const known = version.subresources.find((one) => one.name === subresource);
    if (known === undefined) throw unknownSubresource(context);
    if (!known.verbs.includes(info.verb as Verb)) throw wrongMethod(context);
    const key = handlerKey(definition.group, definition.resource, subresource);
    const handler = this.#handlers.get(key);
    if (handler !== undefined) return handler(context, request, this.#environment);
    return this.#genericSubresource(context, request, known, key);
  }

  #genericSubresource(
    context: ResourceContext,
    request: VerbRequest,
    { name, scale }: Subresource,
    key: string,
  ): VerbResult | Promise<VerbResult> {
    const environment = this.#environment;
    if (name === 'scale' && scale !== undefined) return serveScale(environment, context, request, scale);
    if (key === handlerKey('', 'pods', 'binding')) return bindPod(environment, context, request);
    if (key === handlerKey('', 'pods', 'eviction')) return evictPod(environment, context, request);
    const merge = subresourceMerges.get(key);
    if (name !== 'status' && merge === undefined) throw unknownSubresource(context);
    switch (context.info.verb as Verb) {
      case 'get':
        return getObject(environment.registry, context);
      case 'update':
        return updateObject(environment, context, request, merge);
      case 'patch':
        return patchObject(environment, context, request, merge);
      default:
        throw methodNotAllowed(context.served.definition, context.info.verb);
    }
  }

  #authorizeCreate(context: ResourceContext): Promise<void> | undefined {
    if (this.#authorizer === undefined || context.workspace === undefined) return undefined;
    const { definition, version } = context.served;
    const attributes: AuthorizationAttributes = {
      user: context.user,
      workspace: context.workspace,
      verb: 'create',
      path: context.info.path,
      resource: {
        group: definition.group,
        version: version.version,
        resource: definition.resource,
        subresource: '',
        namespace: context.namespace,
        name: context.name,
      },
    };
    const check = ({ decision, reason }: AuthorizationDecision): void => {
      if (decision !== 'allow') throw forbiddenError(attributes, reason);
    };
    const decided = this.#authorizer.authorize(attributes);
    if (decided instanceof Promise) return decided.then(check);
    check(decided);
    return undefined;
  }
}

/** Replicas are read and written where they are stored: a Scale looks the same in all versions. */
function inScaledVersion(context: ResourceContext): ResourceContext {
  const { served, subresource } = context;
  if (subresource !== 'scale') return context;
  const { definition } = served;
  const version = definition.versions.find(
    (one) =>
      one.version === definition.storageVersion && one.subresources.some(({ name }) => name === subresource),
  );
  return version === undefined || version === served.version
    ? context
    : derivedContext(context, { served: { definition, version } });
}

function isRouted({ served, info, name }: ResourceContext): boolean {
  return served.version.verbs.includes(info.verb as Verb) && fitsPath(info.verb, name);
}

/** Only collections are posted to; only named objects are replaced and patched. */
function fitsPath(verb: string, name: string): boolean {
  if (verb === 'create') return name === '';
  return name !== '' || (verb !== 'update' && verb !== 'patch');
}

/** Kubernetes' own kinds have a route for each method; custom ones are told which verb it was (E4). */
function wrongMethod({ served: { definition }, info }: ResourceContext): ApiError {
  return definition.origin === 'builtin' ? pathMethodNotAllowed() : methodNotAllowed(definition, info.verb);
}

function rethrow(error: unknown): never {
  throw fromStorageError(error);
}

/** What a kubelet would answer (KUBERNETES.md C10): nothing runs in a workspace. */
const kubeletSubresources = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

function unknownSubresource({ served, subresource = '', name }: ResourceContext): ApiError {
  const { group, resource, origin } = served.definition;
  if (origin === 'custom') return notFound(served.definition, name);
  const runsElsewhere = group === '' && resource === 'pods' && kubeletSubresources.has(subresource);
  if (!runsElsewhere) return pathNotFound();
  return new ApiError(
    'NotFound',
    `the server could not find the requested resource: pod ${name} runs at no node of this server, ask the cell that it was placed on`,
    { details: { name, kind: resource } },
  );
}
