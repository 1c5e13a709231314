import { clusterAnnotation, clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import {
  kindAnnotation,
  logicalClusterName,
  logicalClustersGvr,
  mappingNameAnnotation,
  pathAnnotation,
  typeAnnotation,
} from '#api/core-kcp/logical-cluster.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { objectKeyOf } from '#client/informer.ts';

export interface WorkspaceRef {
  /** Logical cluster id. */
  readonly id: string;
  readonly path: string;
  readonly kind: string;
  /** The readable part of its copies' names, when one is recorded. */
  readonly mappingName: string | undefined;
  readonly deleting: boolean;
}

/** What changed about a workspace; `old` and `now` are undefined where it was not or is no more. */
export type WorkspaceListener = (now: WorkspaceRef | undefined, old: WorkspaceRef | undefined) => void;

/**
 * The workspaces that there are, by id, and which cell each cell workspace belongs to. Fed by a watch of LogicalClusters.
 */
export class Workspaces {
  readonly #client: KubeClient;
  readonly #byId = new Map<string, WorkspaceRef>();
  readonly #cellIds = new Map<string, string>();
  readonly #cellNames = new Map<string, string>();
  readonly #recording = new Map<string, Promise<string>>();
  #listener: WorkspaceListener = () => {};

  constructor(client: KubeClient) {
    this.#client = client;
  }

  listen(listener: WorkspaceListener): void {
    this.#listener = listener;
  }

  get(id: string): WorkspaceRef | undefined {
    return this.#byId.get(id);
  }

  /** The project, unless the workspace is of another kind or being deleted. */
  project(id: string): WorkspaceRef | undefined {
    const workspace = this.#byId.get(id);
    return workspace?.kind === 'project' && !workspace.deleting ? workspace : undefined;
  }

  /** The workspace at a path; undefined when there is none. */
  idOf(path: string): string | undefined {
    for (const { id, path: at } of this.#byId.values()) if (at === path) return id;
    return undefined;
  }

  /** Ids of the projects below a workspace. */
  *projectsBelow(path: string): IterableIterator<string> {
    const prefix = `${path}:`;
    for (const { id, kind, path: below } of this.#byId.values())
      if (kind === 'project' && below.startsWith(prefix)) yield id;
  }

  cellOf(id: string): string | undefined {
    return this.#cellNames.get(id);
  }

  cellId(cell: string): string | undefined {
    return this.#cellIds.get(cell);
  }

  put(object: KubeObject): void {
    const now = workspaceOf(object);
    if (now === undefined) return;
    const old = this.#byId.get(now.id);
    this.#byId.set(now.id, now);
    const cell = cellNameOf(now);
    if (cell !== undefined) {
      this.#cellIds.set(cell, now.id);
      this.#cellNames.set(now.id, cell);
    }
    this.#listener(now, old);
  }

  remove(object: KubeObject): void {
    const id = clusterOf(object);
    const old = this.#byId.get(id);
    if (old === undefined) return;
    this.#byId.delete(id);
    const cell = this.#cellNames.get(id);
    this.#cellNames.delete(id);
    if (cell !== undefined && this.#cellIds.get(cell) === id) this.#cellIds.delete(cell);
    this.#listener(undefined, old);
  }

  /**
   * The recorded readable part of a project's mapped names; at a project's first binding the workspace's name is
   * recorded, guarded by revision so that two schedulers record one (DESIGN.md, Names).
   */
  mappingName(project: WorkspaceRef, signal: AbortSignal): Promise<string> {
    if (project.mappingName !== undefined) return Promise.resolve(project.mappingName);
    let recording = this.#recording.get(project.id);
    if (recording === undefined) {
      recording = this.#record(project, signal).finally(() => this.#recording.delete(project.id));
      this.#recording.set(project.id, recording);
    }
    return recording;
  }

  async #record(project: WorkspaceRef, signal: AbortSignal): Promise<string> {
    const ref = { cluster: project.id, gvr: logicalClustersGvr, name: logicalClusterName };
    for (let attempt = 0; ; attempt++) {
      const stored = await this.#client.get(ref, { metadataOnly: true, signal });
      const present = stored.metadata.annotations?.[mappingNameAnnotation];
      if (present !== undefined && present !== '') return this.#remember(project, present);
      const name = project.path.slice(project.path.lastIndexOf(':') + 1);
      const metadata = {
        resourceVersion: stored.metadata.resourceVersion,
        annotations: { [mappingNameAnnotation]: name },
      };
      try {
        await this.#client.patch(ref, { type: 'merge', body: { metadata } }, { signal });
        return this.#remember(project, name);
      } catch (error) {
        if (!isApiError(error, 'Conflict') || attempt >= 5) throw error;
      }
    }
  }

  /** Its own watch event comes later. */
  #remember(project: WorkspaceRef, mappingName: string): string {
    const now = this.#byId.get(project.id);
    if (now !== undefined) this.#byId.set(project.id, { ...now, mappingName });
    return mappingName;
  }
}

function workspaceOf(object: KubeObject): WorkspaceRef | undefined {
  const annotations = object.metadata.annotations ?? {};
  const id = annotations[clusterAnnotation];
  if (id === undefined || objectKeyOf(object) !== `${id}|/${logicalClusterName}`) return undefined;
  const path = annotations[pathAnnotation] ?? id;
  return {
    id,
    path,
    kind: annotations[kindAnnotation] ?? kindOfType(annotations[typeAnnotation]),
    mappingName: annotations[mappingNameAnnotation] || undefined,
    deleting: object.metadata.deletionTimestamp !== undefined,
  };
}

/** `root:project` → `project`. */
function kindOfType(type = ''): string {
  return type.slice(type.lastIndexOf(':') + 1);
}

function cellNameOf({ path, kind }: WorkspaceRef): string | undefined {
  const prefix = `${cellsWorkspacePath}:`;
  if (kind !== 'cell' || !path.startsWith(prefix)) return undefined;
  const name = path.slice(prefix.length);
  return name.includes(':') ? undefined : name;
}
