import type { ProjectPlane } from './compare.ts';
import { loadKinds } from './kinds.ts';
import type { Ledger } from './ledger.ts';
import { Watcher } from './watcher.ts';

/** The first kind of the load. */
export const watched = { cluster: undefined, gvr: loadKinds[0]!.gvr } as const;

export interface ProjectWatchers {
  /** One a project, in the projects' order. */
  readonly watchers: readonly Watcher[];
  stop(): Promise<void>;
}

/** Follows one kind in each project. */
export function watchProjects(projects: readonly ProjectPlane[], ledger: Ledger): ProjectWatchers {
  const watching = new AbortController();
  const watchers = projects.map(({ client, path }) => new Watcher(client, watched, `${path} watch`, ledger));
  const watches = watchers.map((watcher) => watcher.run(watching.signal));
  return {
    watchers,
    async stop() {
      watching.abort();
      await Promise.all(watches);
    },
  };
}
