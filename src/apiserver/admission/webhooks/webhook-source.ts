import { LRUCache } from 'lru-cache';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../../registry/stored-object.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { type Webhook, webhooksOf } from './webhook-configuration.ts';

/** Workspaces whose parsed webhooks are kept. */
const workspacesMax = 1_000;

interface Parsed {
  /** Keys and revisions of the configurations that these webhooks came from. */
  readonly fingerprint: string;
  readonly webhooks: readonly Webhook[];
}

const none: readonly Webhook[] = [];

/**
 * The webhooks of a workspace, in the order of their configurations' names, as of the newest state: nothing is
 * subscribed to or timed, a workspace without configurations costs one look at an empty range.
 */
export class WebhookSource {
  readonly #storage: CachedStorage;
  readonly #prefix: string;
  readonly #parsed = new LRUCache<string, Parsed>({ max: workspacesMax });

  constructor(storage: CachedStorage, type: 'mutating' | 'validating') {
    this.#storage = storage;
    const resource = `${type}webhookconfigurations`;
    this.#prefix = rangePrefix({ group: 'admissionregistration.k8s.io', resource });
  }

  webhooks(workspace: Workspace): readonly Webhook[] {
    // Mostly nobody has any.
    if (this.#storage.snapshot(this.#prefix).count() === 0) return none;
    const entries: CacheEntry[] = [...this.#storage.snapshot(`${this.#prefix}${workspace.id}/`).entries()];
    if (entries.length === 0) return none;
    const fingerprint = entries.map(({ key, revision }) => `${key}@${revision}`).join('\n');
    const known = this.#parsed.get(workspace.id);
    if (known?.fingerprint === fingerprint) return known.webhooks;
    const webhooks = entries.flatMap((entry) => webhooksOf(objectOf(entry)));
    this.#parsed.set(workspace.id, { fingerprint, webhooks });
    return webhooks;
  }
}
