import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { CellPlane, ProjectPlane } from '../chaos/compare.ts';
import type { Scene } from './scene.ts';

/** All that is to agree, past the network. */
export function planesOf({ world, projects }: Pick<Scene, 'world' | 'projects'>): {
  projects: ProjectPlane[];
  cells: CellPlane[];
} {
  const { federation } = world;
  return {
    projects: projects.map((project) => ({
      ...project,
      client: world.lookAt(federation, project.path),
    })),
    cells: [...world.edges].map(([name, edge]) => ({
      name,
      cellClient: world.lookAt(federation, `${cellsWorkspacePath}:${name}`),
      edgeClient: world.lookAt(edge),
    })),
  };
}
