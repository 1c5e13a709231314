import { createNameMapper, type NameMapper } from './projection/names.ts';
import type { WorkspaceRef, Workspaces } from './workspaces.ts';

/** The name mapper of each project. */
export class Mappers {
  readonly #workspaces: Workspaces;
  readonly #controlPlaneId: string;
  readonly #hashBits: number | undefined;
  readonly #byProject = new Map<string, NameMapper>();

  constructor(workspaces: Workspaces, controlPlaneId: string, hashBits?: number) {
    this.#workspaces = workspaces;
    this.#controlPlaneId = controlPlaneId;
    this.#hashBits = hashBits;
  }

  /** Records the project's mapping name when it has none yet. */
  async of(project: WorkspaceRef, signal: AbortSignal): Promise<NameMapper> {
    const prefix = await this.#workspaces.mappingName(project, signal);
    const present = this.#byProject.get(project.id);
    if (present !== undefined && present.identity.prefix === prefix) return present;
    const identity = { controlPlaneId: this.#controlPlaneId, clusterId: project.id, prefix };
    const mapper = createNameMapper(identity, this.#hashBits);
    this.#byProject.set(project.id, mapper);
    return mapper;
  }

  /** To be called when a project is gone. */
  forget(projectId: string): void {
    this.#byProject.delete(projectId);
  }
}
