import { logicalClusterDefinition } from '#api/core-kcp/logical-cluster.ts';
import { shardDefinition } from '#api/core-kcp/shard.ts';
import { cellDefinition, projectCellDefinition } from '#api/federation/cell.ts';
import { cellScoreDefinition } from '#api/federation/cell-score.ts';
import { copyDefinition } from '#api/federation/copy.ts';
import { federatorDefinition } from '#api/federation/federator.ts';
import { returnPolicyDefinition } from '#api/federation/return-policy.ts';
import { returnedObjectDefinition, returnRequestDefinition } from '#api/federation/returned-object.ts';
import { clusterTaintPolicyDefinition } from '#api/policy/cluster-taint-policy.ts';
import { inheritedDefinitions } from '#api/policy/definitions.ts';
import { schedulingProfileDefinition } from '#api/policy/scheduling-profile.ts';
import { workspaceDefinition } from '#api/tenancy/workspace.ts';
import { workspaceTypeDefinition } from '#api/tenancy/workspace-type.ts';
import { partitionDefinition } from '#api/topology/partition.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { createScheme, extendScheme } from '#apimachinery/scheme-build.ts';
import type { ClusterId, WorkspaceKind } from './workspace.ts';

/** What a workspace's own CRDs define; the CRD machinery's catalogue is one. */
export interface CustomDefinitions {
  /** Definitions of equal content are one object over all workspaces. Empty when there are none. */
  definitionsOf(clusterId: ClusterId): readonly ResourceDefinition[];
  /** Calls back when a workspace's definitions have changed. Returns how to stop that. */
  onChange(listener: (clusterId: ClusterId) => void): () => void;
  /** All workspaces' definitions, for `/clusters/*`. */
  allDefinitions(): Iterable<ResourceDefinition>;
}

export interface SchemeCatalogOptions {
  /** Kinds that every workspace has: Kubernetes' own and CustomResourceDefinition. */
  readonly builtin: readonly ResourceDefinition[];
  /** Kinds that project workspaces have beside them: policies, bindings. */
  readonly project: readonly ResourceDefinition[];
  readonly custom?: CustomDefinitions | undefined;
}

/** Extended schemes kept by content; past it the one unused longest is made anew when asked for. */
const extendedSchemesMax = 4_096;

/**
 * What each workspace serves: one scheme for all workspaces of a type that have no CRDs of their own, and one for each
 * set of CRDs beside it, however many workspaces have that set.
 */
export class SchemeCatalog {
  readonly #bases: ReadonlyMap<WorkspaceKind, Scheme>;
  readonly #custom: CustomDefinitions | undefined;
  /** Base scheme → extended scheme's hash → the one scheme of that content, in order of last use. */
  readonly #extended = new Map<string, Scheme>();
  readonly #byCluster = new Map<ClusterId, Scheme>();
  readonly #unsubscribe: () => void;
  #wildcard: Scheme | undefined;

  constructor({ builtin, project, custom }: SchemeCatalogOptions) {
    this.#bases = new Map(
      Object.entries(systemDefinitions(project)).map(([kind, definitions]) => [
        kind as WorkspaceKind,
        createScheme([...builtin, ...definitions]),
      ]),
    );
    this.#custom = custom;
    this.#unsubscribe =
      custom?.onChange((clusterId) => {
        this.#byCluster.delete(clusterId);
        this.#wildcard = undefined;
      }) ?? (() => {});
  }

  /** What workspaces of a kind serve beside their own CRDs. */
  baseOf(kind: WorkspaceKind): Scheme {
    return this.#bases.get(kind) as Scheme;
  }

  schemeOf(kind: WorkspaceKind, clusterId: ClusterId): Scheme {
    const base = this.baseOf(kind);
    const definitions = this.#custom?.definitionsOf(clusterId) ?? [];
    if (definitions.length === 0) return base;
    const present = this.#byCluster.get(clusterId);
    if (present !== undefined) return present;
    const scheme = this.#shared(extendScheme(base, definitions));
    this.#byCluster.set(clusterId, scheme);
    return scheme;
  }

  /** All that any workspace serves; of several definitions of one resource the system's comes first. */
  wildcardScheme(): Scheme {
    if (this.#wildcard !== undefined) return this.#wildcard;
    const definitions = new Map<string, ResourceDefinition>();
    for (const base of this.#bases.values()) {
      for (const definition of base.definitions) {
        definitions.set(`${definition.resource}.${definition.group}`, definition);
      }
    }
    const system = createScheme([...definitions.values()]);
    this.#wildcard = extendScheme(system, [...(this.#custom?.allDefinitions() ?? [])]);
    return this.#wildcard;
  }

  /** To be called when a workspace is gone. */
  forget(clusterId: ClusterId): void {
    this.#byCluster.delete(clusterId);
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Handlers, discovery and OpenAPI cache by a scheme's identity, so that equal content must be one object. */
  #shared(scheme: Scheme): Scheme {
    const present = this.#extended.get(scheme.hash);
    if (present !== undefined) {
      this.#extended.delete(scheme.hash);
      this.#extended.set(scheme.hash, present);
      return present;
    }
    this.#extended.set(scheme.hash, scheme);
    if (this.#extended.size > extendedSchemesMax) {
      const oldest = this.#extended.keys().next();
      if (oldest.done !== true) this.#extended.delete(oldest.value);
    }
    return scheme;
  }
}

function systemDefinitions(project: readonly ResourceDefinition[]): {
  readonly [kind in WorkspaceKind]: readonly ResourceDefinition[];
} {
  const tenancy = [
    logicalClusterDefinition,
    workspaceDefinition,
    workspaceTypeDefinition,
    partitionDefinition,
  ];
  const inherited = inheritedDefinitions();
  return {
    root: [...tenancy, shardDefinition, ...inherited],
    organization: [...tenancy, ...inherited],
    universal: [...tenancy, ...inherited],
    project: [logicalClusterDefinition, projectCellDefinition, returnPolicyDefinition, ...project],
    cells: [
      ...tenancy,
      cellDefinition,
      federatorDefinition,
      clusterTaintPolicyDefinition,
      cellScoreDefinition,
      schedulingProfileDefinition,
    ],
    cell: [logicalClusterDefinition, copyDefinition, returnRequestDefinition, returnedObjectDefinition],
    edge: [],
  };
}
