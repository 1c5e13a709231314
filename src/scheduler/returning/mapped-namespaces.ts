import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { originOf } from '../projection/origin.ts';

/** A project's namespace as it lies in one cell's workspace. */
export interface MappedNamespace {
  readonly cellId: string;
  readonly name: string;
  /** Logical cluster id of the project, and the namespace there. */
  readonly projectId: string;
  readonly namespace: string;
}

/** Which namespaces of projects lie in which cells, both ways: the only inverse of mapped names there is. */
export class MappedNamespaces {
  readonly #controlPlaneId: string;
  readonly #byCell = new Map<string, MappedNamespace>();
  readonly #byProject = new Map<string, Map<string, MappedNamespace>>();

  constructor(controlPlaneId: string) {
    this.#controlPlaneId = controlPlaneId;
  }

  /** Undefined when it is no copy of ours, or goes. */
  put(object: KubeObject): MappedNamespace | undefined {
    this.remove(object);
    const origin = originOf(object.metadata);
    if (origin?.controlPlane !== this.#controlPlaneId || origin.resource !== 'namespaces') return undefined;
    if (object.metadata.deletionTimestamp !== undefined) return undefined;
    const { cellId, name } = placeOf(object);
    const mapped = { cellId, name, projectId: origin.cluster, namespace: origin.name };
    this.#byCell.set(`${cellId}|${name}`, mapped);
    const key = `${mapped.projectId}|${mapped.namespace}`;
    const cells = this.#byProject.get(key) ?? new Map<string, MappedNamespace>();
    this.#byProject.set(key, cells.set(cellId, mapped));
    return mapped;
  }

  /** What it was. */
  remove(object: KubeObject): MappedNamespace | undefined {
    const { cellId, name } = placeOf(object);
    const mapped = this.#byCell.get(`${cellId}|${name}`);
    if (mapped === undefined) return undefined;
    this.#byCell.delete(`${cellId}|${name}`);
    const key = `${mapped.projectId}|${mapped.namespace}`;
    const cells = this.#byProject.get(key);
    cells?.delete(cellId);
    if (cells?.size === 0) this.#byProject.delete(key);
    return mapped;
  }

  get(cellId: string, name: string): MappedNamespace | undefined {
    return this.#byCell.get(`${cellId}|${name}`);
  }

  /** In all cells. */
  of(projectId: string, namespace: string): Iterable<MappedNamespace> {
    return this.#byProject.get(`${projectId}|${namespace}`)?.values() ?? [];
  }
}

function placeOf({ metadata }: KubeObject): { readonly cellId: string; readonly name: string } {
  return { cellId: metadata.annotations?.[clusterAnnotation] ?? '', name: metadata.name ?? '' };
}
