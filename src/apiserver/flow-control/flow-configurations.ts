import { LRUCache } from 'lru-cache';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Logger } from '#client/logger.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { parseObjectKey, rangePrefix } from '#storage/keys.ts';
import type { Revision } from '#storage/storage.ts';
import { sharedUid } from '../registry/shared-objects.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { bootstrapFlowSchemas, bootstrapPriorityLevels, flowControlGroup } from './bootstrap-objects.ts';
import { FlowConfiguration } from './flow-configuration.ts';

const resources = ['flowschemas', 'prioritylevelconfigurations'] as const;
type FlowResource = (typeof resources)[number];

/** Workspaces' own configurations kept compiled; others are compiled when next asked for. */
const compiledMax = 1_000;
/** Objects of one workspace that act; more are stored, shown and left out, in the order of their names. */
const objectsMax = 500;

/**
 * The configuration of the server, which is what stands in its first workspace (`root`, or the only one), and those of
 * workspaces that store FlowSchemas or levels of their own. A workspace that stores none costs one look into a set.
 */
export class FlowConfigurations {
  readonly #storage: CachedStorage;
  readonly #serverClusterId: string;
  readonly #logger: Logger;
  readonly #compiled = new LRUCache<string, FlowConfiguration>({ max: compiledMax });
  /** Ids of the workspaces that store anything of the kind: bounded by what is stored. */
  readonly #own = new Set<string>();
  #server: FlowConfiguration | undefined;
  #watches: { close(): void }[] = [];
  #running = false;

  constructor(options: {
    readonly storage: CachedStorage;
    readonly serverClusterId: string;
    readonly logger: Logger;
  }) {
    this.#storage = options.storage;
    this.#serverClusterId = options.serverClusterId;
    this.#logger = options.logger;
  }

  /** Idempotent. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#watch();
  }

  /** Idempotent. */
  stop(): void {
    this.#running = false;
    for (const watch of this.#watches.splice(0)) watch.close();
  }

  get server(): FlowConfiguration {
    const id = this.#serverClusterId;
    this.#server ??= flowConfigurationOf(
      this.#stored('flowschemas', id),
      this.#stored('prioritylevelconfigurations', id),
    );
    return this.#server;
  }

  /** What the workspace says about its own part; undefined when it says nothing, or is the server's own. */
  of({ id, inert }: Workspace): FlowConfiguration | undefined {
    if (!this.#own.has(id) || inert || id === this.#serverClusterId) return undefined;
    let configuration = this.#compiled.get(id);
    if (configuration !== undefined) return configuration;
    const schemas = this.#stored('flowschemas', id);
    const levels = this.#stored('prioritylevelconfigurations', id);
    if (schemas.length + levels.length === 0) {
      this.#own.delete(id);
      return undefined;
    }
    configuration = flowConfigurationOf(schemas, levels);
    this.#compiled.set(id, configuration);
    return configuration;
  }

  #stored(resource: FlowResource, clusterId: string): KubeObject[] {
    const objects: KubeObject[] = [];
    const prefix = rangePrefix({ group: flowControlGroup, resource }, clusterId);
    for (const entry of this.#storage.snapshot(prefix).entries()) {
      if (objects.length === objectsMax) break;
      try {
        objects.push(objectOf(entry));
      } catch (error) {
        this.#logger.error({ key: entry.key, err: error }, 'unreadable flow control object ignored');
      }
    }
    return objects;
  }

  #watch(): void {
    const after: Revision = this.#storage.revision;
    this.#own.clear();
    this.#compiled.clear();
    this.#server = undefined;
    for (const resource of resources) {
      const prefix = rangePrefix({ group: flowControlGroup, resource });
      for (const { key } of this.#storage.snapshot(prefix).entries()) this.#changed(key);
    }
    this.#watches = resources.map((resource) =>
      this.#storage.watchCache(rangePrefix({ group: flowControlGroup, resource }), after, {
        events: (events) => {
          for (const { key } of events) this.#changed(key);
        },
        end: (error) => this.#watchEnded(error),
      }),
    );
  }

  #changed(key: string): void {
    const { clusterId } = parseObjectKey(key);
    if (clusterId === this.#serverClusterId) this.#server = undefined;
    else this.#own.add(clusterId);
    this.#compiled.delete(clusterId);
  }

  #watchEnded(error: Error): void {
    if (!this.#running) return;
    for (const watch of this.#watches.splice(0)) watch.close();
    if (isStorageError(error, 'closed')) {
      this.#running = false;
      return;
    }
    this.#logger.warn({ err: error }, 'the watch on flow control ended; reading it anew');
    this.#watch();
  }
}

/** What is stored stands in front of what all workspaces share. */
export function flowConfigurationOf(
  schemas: readonly KubeObject[],
  levels: readonly KubeObject[],
): FlowConfiguration {
  return new FlowConfiguration([...sharedSchemas, ...schemas], [...sharedLevels, ...levels]);
}

const sharedSchemas = identified('flowschemas', bootstrapFlowSchemas);
const sharedLevels = identified('prioritylevelconfigurations', bootstrapPriorityLevels);

/** With the uids that the shared objects show. */
function identified(resource: FlowResource, objects: readonly KubeObject[]): KubeObject[] {
  return objects.map((object) => {
    const uid = sharedUid({ group: flowControlGroup, resource }, '', object.metadata.name ?? '');
    return { ...object, metadata: { ...object.metadata, uid } };
  });
}
