import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import {
  interpreterCustomizationsGvr,
  type ResourceInterpreterCustomization,
} from '#api/policy/resource-interpreter-customization.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { WorkspaceRef, Workspaces } from '../workspaces.ts';
import { Interpretation } from './interpretation.ts';

export interface InterpretationsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly workspaces: Workspaces;
  /** How objects of a group are understood changed in a project. */
  readonly onChange: (cluster: string, group: string) => void;
}

interface Entry {
  readonly name: string;
  readonly interpretation: Interpretation;
}

/** ResourceInterpreterCustomizations of all projects and of the workspaces above them. */
export class Interpretations {
  readonly #options: InterpretationsOptions;
  readonly #informer: Informer;
  /** `<cluster>|<group>/<kind>` → by name. */
  readonly #entries = new Map<string, Entry[]>();

  constructor(options: InterpretationsOptions) {
    this.#options = options;
    const { client, clock, logger } = options;
    const collection = { cluster: '*', gvr: interpreterCustomizationsGvr };
    this.#informer = new Informer({ client, clock, logger, collection });
    this.#informer.addHandler({
      onAdd: (object) => this.#put(object, undefined),
      onUpdate: (object, old) => this.#put(object, old),
      onDelete: (old) => this.#put(undefined, old),
    });
  }

  get connected(): boolean {
    return this.#informer.connected;
  }

  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  /** The project's own before those above it, the nearest first; of several in one workspace the first by name. */
  of({ id, path }: WorkspaceRef, group: string, kind: string): Interpretation | undefined {
    if (this.#entries.size === 0) return undefined;
    const own = this.#entries.get(`${id}|${group}/${kind}`);
    if (own !== undefined) return own[0]?.interpretation;
    for (let at = path; at.includes(':'); ) {
      at = at.slice(0, at.lastIndexOf(':'));
      const above = this.#options.workspaces.idOf(at);
      const entry = above === undefined ? undefined : this.#entries.get(`${above}|${group}/${kind}`)?.[0];
      if (entry !== undefined) return entry.interpretation;
    }
    return undefined;
  }

  #put(now: KubeObject | undefined, old: KubeObject | undefined): void {
    for (const object of [old, now]) {
      if (object === undefined) continue;
      const cluster = clusterOf(object);
      const { target } = (object as ResourceInterpreterCustomization).spec;
      const group = parseApiVersion(target.apiVersion)?.group ?? '';
      const key = `${cluster}|${group}/${target.kind}`;
      const name = object.metadata.name ?? '';
      const entries = (this.#entries.get(key) ?? []).filter((entry) => entry.name !== name);
      if (object === now) {
        try {
          entries.push({ name, interpretation: new Interpretation(now as ResourceInterpreterCustomization) });
          entries.sort((a, b) => (a.name < b.name ? -1 : 1));
        } catch (error) {
          // Validation refuses it; one that got by interprets nothing.
          this.#options.logger.warn({ err: error, cluster, name }, 'a customization does not compile');
        }
      }
      if (entries.length === 0) this.#entries.delete(key);
      else this.#entries.set(key, entries);
      this.#tell(cluster, group);
    }
  }

  #tell(cluster: string, group: string): void {
    const { workspaces, onChange } = this.#options;
    const workspace = workspaces.get(cluster);
    if (workspace === undefined || workspace.kind === 'project') {
      onChange(cluster, group);
      return;
    }
    for (const id of workspaces.projectsBelow(workspace.path)) onChange(id, group);
  }
}
