import {
  kindAnnotation,
  type LogicalClusterObject,
  logicalClusterDefinition,
  logicalClusterName,
  pathAnnotation,
  typeAnnotation,
} from '#api/core-kcp/logical-cluster.ts';
import {
  logicalClusterFinalizer,
  ownerAnnotation,
  phaseLabel,
  shardAnnotation,
  tenancyGroup,
  type WorkspaceObject,
  workspaceDefinition,
} from '#api/tenancy/workspace.ts';
import { ApiError, forbidden } from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import { equalJson } from '#apimachinery/json.ts';
import { generateName } from '#apimachinery/names.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import type { AuthorizationDecision, Authorizer } from '../authz/authorizer.ts';
import type { Allocation, Allocator } from '../registry/allocator.ts';
import type { ResourceContext } from '../request/context.ts';
import type { UserInfo } from '../request/user.ts';
import { depthOf, newClusterId, workspaceDepthMax } from './cluster-ref.ts';
import { type Seed, seedOperation } from './seed.ts';
import type { Workspace } from './workspace.ts';
import {
  adminBinding,
  type Creator,
  isSystemCreator,
  listOf,
  logicalClusterContent,
  namespaceSeed,
  readyConditions,
  releasersOf,
  userInfoJson,
} from './workspace-belongings.ts';
import { logicalClusterKey, type WorkspaceIndex } from './workspace-index.ts';
import {
  isClosing,
  isLogicalClusters,
  isSystem,
  isWorkspaces,
  refuseDeletion,
  refuseSystemFields,
  refuseWhileClosing,
} from './workspace-refusals.ts';
import {
  qualifiedTypeName,
  type ResolvedType,
  refusalOf,
  WorkspaceTypeError,
  type WorkspaceTypes,
} from './workspace-types.ts';

export interface WorkspaceLifecycleOptions {
  readonly storage: CachedStorage;
  readonly index: WorkspaceIndex;
  readonly types: WorkspaceTypes;
  /** Asked for the verb `use` on the WorkspaceType, `initialize` and `terminate` on a LogicalCluster's change. */
  readonly authorizer: Authorizer;
  /** `https://host:6443`, without a slash at its end: what stands before `/clusters/` in a workspace's URL. */
  readonly externalUrl: () => string;
  readonly clock?: Clock | undefined;
}

/**
 * How workspaces come into being: an admission plugin that settles a Workspace's type, cluster and URL, and a create
 * hook that adds what belongs to it, so that all is written in one transaction and the workspace answers as soon as the
 * creation is acknowledged.
 */
export class WorkspaceLifecycle implements AdmissionPlugin {
  readonly name = 'WorkspaceLifecycle';
  readonly #options: WorkspaceLifecycleOptions;
  readonly #clock: Clock;

  constructor(options: WorkspaceLifecycleOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { definition } = context.served;
    if (operation === 'CREATE' && isClosing(context.workspace) && definition.virtual !== true) return true;
    if (isWorkspaces(context)) return operation !== 'UPDATE' && context.subresource === '';
    return isLogicalClusters(context);
  }

  mutate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const { context, operation, object } = attributes;
    if (operation !== 'CREATE') return undefined;
    refuseWhileClosing(context);
    if (!isWorkspaces(context) || object === undefined || context.workspace === undefined) return undefined;
    return this.#admitWorkspace(context, context.workspace, object as WorkspaceObject);
  }

  validate(attributes: AdmissionAttributes): Promise<void> | undefined {
    const { context, operation } = attributes;
    if (operation === 'DELETE') refuseDeletion(attributes);
    if (!isLogicalClusters(context)) return undefined;
    if (operation === 'UPDATE') return this.#admitRelease(attributes);
    if (operation === 'CREATE' && !isSystem(context.user)) {
      throw forbidden(logicalClusterDefinition, logicalClusterName, 'it is made with its workspace');
    }
    return undefined;
  }

  /** What the registry adds to the transaction that stores a Workspace; the plugin has been there before. */
  readonly allocator: Allocator = {
    handles: ({ group, resource }) => group === tenancyGroup && resource === 'workspaces',
    prepareForUpdate: () => {},
    allocate: ({ target, object, old }) =>
      old === undefined
        ? { object, ...this.#belongings(target.workspace, object as WorkspaceObject) }
        : { object, guards: [], operations: [] },
    // Its deletion is the controller's work, after the content is gone.
    release: () => [],
  };

  #admitWorkspace(
    context: ResourceContext,
    parent: Workspace,
    workspace: WorkspaceObject,
  ): Promise<void> | undefined {
    const { metadata } = workspace;
    // The URL needs the name, so it cannot wait for the registry to draw one.
    if (!metadata.name && metadata.generateName) metadata.name = generateName(metadata.generateName);
    const { name = '' } = metadata;
    refuseSystemFields(workspace, name);
    if (depthOf(parent.path) >= workspaceDepthMax) {
      throw forbidden(
        workspaceDefinition,
        name,
        `workspaces may not be nested deeper than ${workspaceDepthMax} levels`,
      );
    }
    const type = this.#typeFor(parent, workspace);
    const settle = (decision: AuthorizationDecision) => {
      if (decision.decision !== 'allow') {
        throw forbidden(
          workspaceDefinition,
          name,
          `unable to use workspacetype ${qualifiedTypeName(type)}: missing verb='use' permission on workspacetype`,
        );
      }
      this.#settle(parent, workspace, type, context.user);
    };
    const decision = this.#ask(context.user, 'use', type);
    if (decision instanceof Promise) return decision.then(settle);
    settle(decision);
    return undefined;
  }

  #typeFor(parent: Workspace, workspace: WorkspaceObject): ResolvedType {
    const { types, index } = this.#options;
    const { name = '' } = workspace.metadata;
    try {
      const parentType = types.byQualifiedName(index.recordOf(parent.id)?.typeName ?? 'root:universal');
      const asked = workspace.spec?.type ?? parentType.spec.defaultChildWorkspaceType;
      if (asked === undefined) {
        throw new WorkspaceTypeError('spec.type is required: the parent has no default for its children');
      }
      const type = types.resolve(asked, parent.path);
      const refusal = refusalOf(type, parentType);
      if (refusal !== undefined) throw new WorkspaceTypeError(refusal);
      return type;
    } catch (error) {
      if (error instanceof WorkspaceTypeError) throw forbidden(workspaceDefinition, name, error.message);
      throw error;
    }
  }

  #ask(
    user: UserInfo,
    verb: string,
    type: ResolvedType,
  ): AuthorizationDecision | Promise<AuthorizationDecision> {
    if (isSystem(user)) return { decision: 'allow', reason: '' };
    const { authorizer, index } = this.#options;
    const resource = {
      group: tenancyGroup,
      version: 'v1alpha1',
      resource: 'workspacetypes',
      subresource: '',
      namespace: '',
      name: type.name,
    };
    const path = `/apis/${tenancyGroup}/v1alpha1/workspacetypes/${type.name}`;
    return authorizer.authorize({
      user,
      workspace: index.byId(type.clusterId as Workspace['id']),
      verb,
      resource,
      path,
    });
  }

  /** Fills what the system sets. */
  #settle(parent: Workspace, workspace: WorkspaceObject, type: ResolvedType, user: UserInfo): void {
    const { metadata } = workspace;
    const now = nowTime(this.#clock.now());
    const initializers = releasersOf(type, 'initializer');
    const phase = initializers.length > 0 ? 'Initializing' : 'Ready';
    const path = `${parent.path}:${metadata.name}`;

    for (const alias of type.aliases) {
      for (const [key, value] of Object.entries(alias.spec.additionalWorkspaceLabels ?? {})) {
        metadata.labels ??= {};
        metadata.labels[key] ??= value;
      }
    }
    metadata.labels = { ...metadata.labels, [phaseLabel]: phase };
    metadata.annotations = {
      ...metadata.annotations,
      [ownerAnnotation]: JSON.stringify(userInfoJson(user)),
      [shardAnnotation]: 'root',
    };
    const finalizers = metadata.finalizers ?? [];
    if (!finalizers.includes(logicalClusterFinalizer)) {
      metadata.finalizers = [...finalizers, logicalClusterFinalizer];
    }
    workspace.spec = {
      ...workspace.spec,
      type: { name: type.name, path: type.path },
      cluster: this.#freeClusterId(),
      URL: `${this.#options.externalUrl()}/clusters/${path}`,
    };
    workspace.status = {
      phase,
      conditions: readyConditions(phase, now),
      ...listOf('initializers', initializers),
    };
  }

  #freeClusterId(): string {
    for (;;) {
      const id = newClusterId();
      if (this.#options.storage.peek(logicalClusterKey(id)) === undefined) return id;
    }
  }

  #belongings(parent: Workspace, workspace: WorkspaceObject): Pick<Allocation, 'guards' | 'operations'> {
    const { metadata, spec = {} } = workspace;
    const { cluster, type } = spec;
    if (cluster === undefined || type?.path === undefined) {
      throw new ApiError('InternalError', `workspace ${metadata.name} was not admitted`);
    }
    const creator = JSON.parse(metadata.annotations?.[ownerAnnotation] ?? '{}') as Creator;
    const now = nowTime(this.#clock.now());
    const resolved = this.#options.types.resolve(type, parent.path);
    const common = { clusterId: cluster, clusterAnnotation: true };
    const seeds: Seed[] = [
      {
        ...common,
        definition: logicalClusterDefinition,
        metadata: {
          name: logicalClusterName,
          annotations: {
            [pathAnnotation]: `${parent.path}:${metadata.name}`,
            [typeAnnotation]: qualifiedTypeName(resolved),
            [kindAnnotation]: resolved.kind,
          },
          finalizers: [logicalClusterFinalizer],
        },
        content: logicalClusterContent(parent, workspace, resolved, creator, now),
      },
    ];
    const scheme = this.#options.index.byId(parent.id)?.scheme ?? parent.scheme;
    // A cell workspace is a warehouse: nothing in it that no copy stands for, and rights from elsewhere.
    if (resolved.kind !== 'cell') {
      const bindings = scheme.definitionOf('rbac.authorization.k8s.io', 'clusterrolebindings');
      const namespaces = scheme.definitionOf('', 'namespaces');
      if (bindings !== undefined && creator.username !== undefined && !isSystemCreator(creator)) {
        const binding = { metadata: { name: 'workspace-admin' }, content: adminBinding(creator.username) };
        seeds.push({ ...common, definition: bindings, ...binding });
      }
      if (namespaces !== undefined) {
        seeds.push({ ...common, definition: namespaces, ...namespaceSeed('default') });
      }
    }
    return {
      // Two clusters of one random id are as good as impossible, and refused.
      guards: [{ key: logicalClusterKey(cluster), revision: 0 as Revision }],
      operations: seeds.map((seed) => seedOperation(seed, now)),
    };
  }

  /** Whoever drops an initializer or terminator must be allowed to act for that type. */
  #admitRelease({ context, object, oldObject }: AdmissionAttributes): Promise<void> | undefined {
    if (object === undefined || oldObject === undefined || isSystem(context.user)) return undefined;
    const next = object as LogicalClusterObject;
    const old = oldObject as LogicalClusterObject;
    if (next.status?.phase !== old.status?.phase && context.subresource === 'status') {
      throw forbidden(logicalClusterDefinition, logicalClusterName, 'status.phase is set by the system');
    }
    if (next.spec?.directlyDeletable !== old.spec?.directlyDeletable) {
      throw forbidden(
        logicalClusterDefinition,
        logicalClusterName,
        'spec.directlyDeletable is set by the system',
      );
    }
    if (!equalJson(next.metadata.finalizers, old.metadata.finalizers)) {
      throw forbidden(logicalClusterDefinition, logicalClusterName, 'finalizers are set by the system');
    }
    const asked: Promise<void>[] = [];
    for (const [field, verb] of releases) {
      const left = new Set(next.status?.[field] ?? []);
      for (const one of old.status?.[field] ?? []) {
        if (!left.has(one)) asked.push(this.#mayRelease(context.user, verb, one));
      }
    }
    return asked.length === 0 ? undefined : Promise.all(asked).then(() => undefined);
  }

  async #mayRelease(user: UserInfo, verb: string, qualified: string): Promise<void> {
    let decision: AuthorizationDecision;
    try {
      decision = await this.#ask(user, verb, this.#options.types.byQualifiedName(qualified));
    } catch (error) {
      if (!(error instanceof WorkspaceTypeError)) throw error;
      throw forbidden(logicalClusterDefinition, logicalClusterName, error.message);
    }
    if (decision.decision === 'allow') return;
    throw forbidden(
      logicalClusterDefinition,
      logicalClusterName,
      `missing verb='${verb}' permission on workspacetype ${qualified}`,
    );
  }
}

const releases = [
  ['initializers', 'initialize'],
  ['terminators', 'terminate'],
] as const;
