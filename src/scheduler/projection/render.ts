import { copyAnnotations, edgeFinalizer } from '#api/federation/copy-contract.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CellInfo } from '../algorithm/cell.ts';
import type { Target } from '../algorithm/decision.ts';
import { contentHashOf } from './content-hash.ts';
import { resourceKey } from './kinds.ts';
import type { NameMapper } from './names.ts';
import { type Origin, setOriginAnnotations, setOriginLabels } from './origin.ts';
import { applyOverrides, type OverrideChain } from './overrides.ts';
import { rewriteAt } from './paths.ts';
import { referenceRules } from './reference-table.ts';
import { type ReplicaKind, reviseReplicas } from './replicas.ts';
import { isReservedKey, stripServerFields } from './strip.ts';
import { unmappedReferences } from './unmapped.ts';

/** Where a rendered copy goes inside its cell workspace. */
export interface CopyPlace {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** Mapped; undefined for cluster scope. */
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface RenderedCopy {
  readonly place: CopyPlace;
  readonly object: KubeObject;
  readonly contentHash: string;
  /** An instance of a project's own kind. */
  readonly custom: boolean;
}

export interface Rendering {
  readonly copies: readonly RenderedCopy[];
  /** Paths of fields that name namespaces and that no rule knows. */
  readonly unmapped: readonly string[];
  /** Why the object may not go to this cell; then there are no copies. */
  readonly refused: string | undefined;
  readonly overrideErrors: readonly string[];
}

export interface RenderInput {
  /** The project object as read; it is left as it is. */
  readonly object: KubeObject;
  readonly version: string;
  readonly origin: Origin;
  readonly kind: ReplicaKind;
  /** Served through a CRD of the project. */
  readonly custom: boolean;
  readonly targets: readonly Target[];
  /** Replicas are shared out, not repeated. */
  readonly divided: boolean;
  /** Gives the object so many replicas, where the kind's own rule is not to; must not change what it is given. */
  readonly revise?: ((object: KubeObject, replicas: number) => KubeObject) | undefined;
  readonly overrides: OverrideChain;
  readonly mapper: NameMapper;
  readonly owns: (group: string, resource: string, name: string) => boolean;
  readonly contract: ContractOptions;
  /** What is rendered instead for a cell that is not to have the object as it is now. */
  readonly variant?: ((cell: string) => RenderInput | undefined) | undefined;
  /** Labels that the copy in this cell bears besides: what failover hands on. */
  readonly relayed?: ((cell: string) => { readonly [label: string]: string } | undefined) | undefined;
}

/** What the policy says about the copy's life at the edge. */
export interface ContractOptions {
  readonly conflictResolution: 'Abort' | 'Overwrite';
  /** The edge object stays when the copy goes. */
  readonly orphan: boolean;
  /** JSON pointers to fields that the edge keeps; default: none. */
  readonly retained?: readonly string[] | undefined;
}

export interface CellView {
  readonly info: CellInfo;
  readonly allowsPodSecurity: boolean;
  readonly allowsClusterRole: (name: string) => boolean;
  /** Namespaces of the project that have a mapped namespace in this cell, by their own names. */
  readonly projectNamespaces: () => readonly string[];
}

/**
 * The copy of one project object for one cell: stripped of what its server owns, with the cell's replicas and overrides,
 * names and references mapped, and the copy contract written on it. Pure. Overrides come before mapping, so that what
 * they write is mapped and confined like anything else.
 */
export function renderCopy(input: RenderInput, cell: CellView): Rendering {
  const { kind, mapper } = input;
  let object = contentOf(input.object);
  stripServerFields(object, { podSecurityLabels: cell.allowsPodSecurity });
  const share = input.targets.find(({ name }) => name === cell.info.name)?.replicas;
  if (input.revise === undefined) {
    reviseReplicas(object, kind, cell.info.name, input.targets, input.divided);
  } else if (share !== undefined) {
    object = input.revise(object, share);
  }
  const overrideErrors = applyOverrides(object, kind, cell.info, input.overrides);
  const relayed = input.relayed?.(cell.info.name);
  if (relayed !== undefined) object.metadata.labels = { ...object.metadata.labels, ...relayed };
  let refused: string | undefined;
  const seen = new Map<JsonObject, Set<string>>();
  const context = {
    mapper,
    owns: input.owns,
    allowsClusterRole: cell.allowsClusterRole,
    refuse(message: string) {
      refused ??= message;
    },
  };
  for (const { path, rewrite } of referenceRules(kind.group, kind.resource)) {
    rewriteAt(
      object,
      path,
      (value, parent) => rewrite(value, context, parent),
      (parent, key) => {
        const keys = seen.get(parent);
        if (keys === undefined) seen.set(parent, new Set([key]));
        else keys.add(key);
      },
    );
  }
  if (refused !== undefined) return { copies: [], unmapped: [], refused, overrideErrors };
  const unmapped = input.custom ? unmappedReferences(object, seen) : [];
  const copies = isClusterRoleBinding(kind)
    ? roleBindingsOf(object, input, cell)
    : [placeCopy(object, input)];
  return { copies, unmapped, refused: undefined, overrideErrors };
}

/** A clone to be stripped: without the status, and with the object's own metadata, which stripping replaces. */
function contentOf(object: KubeObject): KubeObject {
  const content: JsonObject = {};
  for (const key in object) {
    if (key === 'metadata') content[key] = object.metadata;
    else if (key !== 'status') content[key] = cloneJson(object[key]);
  }
  return content as KubeObject;
}

function isClusterRoleBinding({ group, resource }: ReplicaKind): boolean {
  return resourceKey(group, resource) === 'clusterrolebindings.rbac.authorization.k8s.io';
}

/** Authority over a cluster becomes authority over each of the project's namespaces in it (DESIGN.md, Names). */
function roleBindingsOf(object: KubeObject, input: RenderInput, cell: CellView): RenderedCopy[] {
  const name = input.mapper.clusterScoped(input.kind.group, input.kind.resource, input.origin.name);
  return cell.projectNamespaces().map((namespace) => {
    const copy = { ...object, kind: 'RoleBinding' };
    const place: CopyPlace = {
      group: input.kind.group,
      version: input.version,
      resource: 'rolebindings',
      namespace: input.mapper.namespace(namespace),
      name,
    };
    return finish(copy, place, input.origin, input.contract);
  });
}

function placeCopy(object: KubeObject, input: RenderInput): RenderedCopy {
  const { kind, origin, mapper, version } = input;
  const { group, resource } = kind;
  const namespaced = origin.namespace !== '';
  const place: CopyPlace = {
    group,
    version,
    resource,
    namespace: namespaced ? mapper.namespace(origin.namespace) : undefined,
    name: namespaced ? origin.name : mapper.clusterScoped(group, resource, origin.name),
  };
  return finish(object, place, origin, input.contract, input.custom);
}

/** Writes the copy contract; the hash covers all that was rendered. */
function finish(
  object: KubeObject,
  place: CopyPlace,
  origin: Origin,
  contract: ContractOptions,
  custom = false,
): RenderedCopy {
  const { name, namespace } = place;
  const labels = withoutReserved(object.metadata.labels);
  setOriginLabels(labels, origin);
  const annotations = withoutReserved(object.metadata.annotations);
  setOriginAnnotations(annotations, origin);
  if (contract.conflictResolution === 'Overwrite')
    annotations[copyAnnotations.conflictResolution] = 'Overwrite';
  if (contract.orphan) annotations[copyAnnotations.deletionPolicy] = 'Orphan';
  const { retained = [] } = contract;
  if (retained.length > 0) annotations[copyAnnotations.retainedFields] = JSON.stringify(retained);
  const finalizers = [edgeFinalizer];
  const metadata: KubeObject['metadata'] =
    namespace === undefined
      ? { name, labels, annotations, finalizers }
      : { name, namespace, labels, annotations, finalizers };
  const copy: KubeObject = { ...object, metadata };
  const contentHash = contentHashOf(copy);
  annotations[copyAnnotations.contentHash] = contentHash;
  return { place, object: copy, contentHash, custom };
}

/** Overrides may have written into the contract's domain: what is in it comes from here alone. */
function withoutReserved(map: { [key: string]: string } | undefined): { [key: string]: string } {
  const kept: { [key: string]: string } = {};
  for (const key in map) if (!isReservedKey(key)) kept[key] = map[key] as string;
  return kept;
}

/** The mapped namespace in a cell workspace: the project namespace's labels and the project's own. */
export function renderNamespace(
  source: KubeObject | undefined,
  origin: Origin,
  mapper: NameMapper,
  allowsPodSecurity: boolean,
): RenderedCopy {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      ...(source?.metadata.labels === undefined ? {} : { labels: { ...source.metadata.labels } }),
    },
  };
  stripServerFields(object, { podSecurityLabels: allowsPodSecurity });
  const place: CopyPlace = {
    group: '',
    version: 'v1',
    resource: 'namespaces',
    namespace: undefined,
    name: mapper.namespace(origin.name),
  };
  return finish(object, place, origin, { conflictResolution: 'Abort', orphan: false });
}

/** What a FederatedResourceQuota lets its namespace use in one cell. */
export function renderResourceQuota(hard: JsonObject, origin: Origin, mapper: NameMapper): RenderedCopy {
  const place: CopyPlace = {
    group: '',
    version: 'v1',
    resource: 'resourcequotas',
    namespace: mapper.namespace(origin.namespace),
    name: origin.name,
  };
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {},
    spec: { hard: cloneJson(hard) },
  };
  return finish(object, place, origin, { conflictResolution: 'Abort', orphan: false });
}
