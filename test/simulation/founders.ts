import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient, ObjectRef } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import { widgetsCrd, widgetsGvr } from '../harness/standing.ts';
import type { World } from './world/world.ts';

const foundersCount = 2;
const namespacesGvr = { group: '', version: 'v1', resource: 'namespaces' } as const;
const configMapsGvr = { group: '', version: 'v1', resource: 'configmaps' } as const;
const crdsGvr = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
} as const;
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const;
const callTimeoutMs = 20_000;
const againMs = 150;
/** Between the rounds of one founder: what many more would find costs more than further seeds. */
const restMsMax = 800;
/** In which something comes about that a controller sees to, when nothing is struck any more. */
const broughtAboutMs = 180_000;

/** What is told by a server that did what it was asked, or did not. */
type Refusal = 'NotFound' | 'Forbidden' | 'AlreadyExists';

/**
 * People who found workspaces, namespaces, kinds and rights, each over whichever server answers, and use them at once: what one
 * server has acknowledged every other one knows before it refuses anything (docs/operations.md, Several API servers).
 */
export class Founders {
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #random: Random;
  #epoch = 0;
  /** Rounds that were brought to their end. */
  rounds = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** What was acknowledged may be gone. */
  putBack(): void {
    this.#epoch++;
  }

  /** Rounds until the signal; the last ones are brought to their end. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: foundersCount }, (_, i) => this.#runOne(`founder-${i}`, signal)));
  }

  async #runOne(name: string, signal: AbortSignal): Promise<void> {
    for (let nth = 0; !signal.aborted; nth++) {
      const epoch = this.#epoch;
      const round = new Round({
        world: this.#world,
        // What a former store had of it is of no interest.
        workspace: `${name}-${epoch}`,
        user: `${name}-${nth}`,
        nth,
        signal,
        isLost: () => this.#epoch !== epoch,
      });
      const found = await round.run();
      if (found === undefined) this.rounds++;
      else if (this.#epoch === epoch) {
        this.violations.push(`${name}: ${found}`);
        // What it has left behind would be in its way.
        return;
      }
      await this.#world.time.sleep(this.#random.next() * restMsMax);
    }
  }
}

interface RoundOptions {
  readonly world: World;
  /** The same in every round: what has its name now is not what had it before. */
  readonly workspace: string;
  readonly user: string;
  readonly nth: number;
  /** Everything is being brought to its end: nothing more is struck. */
  readonly signal: AbortSignal;
  readonly isLost: () => boolean;
}

class Violation extends Error {}
/** The store was put back: what was founded is gone. */
class Lost extends Error {}

class Round {
  readonly #options: RoundOptions;
  readonly #client: KubeClient;

  constructor(options: RoundOptions) {
    this.#options = options;
    this.#client = options.world.literalClient();
  }

  /** What was wrong. */
  async run(): Promise<string | undefined> {
    try {
      await this.#found();
      return undefined;
    } catch (error) {
      if (error instanceof Lost) return undefined;
      if (error instanceof Violation) return error.message;
      throw error;
    }
  }

  async #found(): Promise<void> {
    const { workspace, nth } = this.#options;
    const inRoot: CollectionRef = { cluster: 'root', gvr: workspacesGvr };
    const itself: ObjectRef = { ...inRoot, name: workspace };
    const cluster = `root:${workspace}`;
    await this.#make('the workspace', inRoot, {
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: workspace },
      spec: { type: { name: 'project', path: 'root' } },
    });
    await this.#becomes('the workspace is ready', itself, ({ status }) =>
      isJsonObject(status) ? status['phase'] === 'Ready' : false,
    );
    const all = await this.#told('its namespaces', () =>
      this.#client.list({ cluster, gvr: namespacesGvr }, { timeoutMs: callTimeoutMs }),
    );
    const stale = all.items.filter(({ metadata }) => metadata.name?.startsWith('round-'));
    if (stale.length > 0) {
      throw new Violation(
        `a workspace made anew has ${stale.map(({ metadata }) => metadata.name).join(', ')}`,
      );
    }
    const namespace = `round-${nth}`;
    await this.#make(
      'the namespace',
      { cluster, gvr: namespacesGvr },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    );
    const inIt: CollectionRef = { cluster, gvr: configMapsGvr, namespace };
    await this.#make('an object in the namespace', inIt, configMap('one', { at: String(nth) }));
    await this.#read('the object in the namespace', { ...inIt, name: 'one' });
    await this.#grant(cluster, namespace);
    await this.#define(cluster, namespace);
    await this.#gone('the namespace', { cluster, gvr: namespacesGvr, name: namespace });
    await this.#gone('the workspace', itself);
  }

  /** A right is good at every server as soon as it was given at one. */
  async #grant(cluster: string, namespace: string): Promise<void> {
    const { world, user } = this.#options;
    const subject = { kind: 'User', apiGroup: rbac.group, name: user };
    const bind = (name: string, role: string): KubeObject => ({
      apiVersion: `${rbac.group}/${rbac.version}`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: rbac.group, kind: 'ClusterRole', name: role },
      subjects: [subject],
    });
    const bindings = { cluster, gvr: { ...rbac, resource: 'clusterrolebindings' } };
    await this.#make('the right to enter', bindings, bind(`${user}-enters`, 'system:kcp:workspace:access'));
    await this.#make('the right to edit', bindings, bind(`${user}-edits`, 'edit'));
    const theirs = world.literalClient(user);
    const ref: ObjectRef = { cluster, gvr: configMapsGvr, namespace, name: 'one' };
    await this.#told(`what ${user} may read`, () => theirs.get(ref, { timeoutMs: callTimeoutMs }));
  }

  /** A kind is served by every server as soon as one has told that it is. */
  async #define(cluster: string, namespace: string): Promise<void> {
    const crds = { cluster, gvr: crdsGvr };
    const name = widgetsCrd.metadata.name ?? '';
    await this.#make('the kind', crds, widgetsCrd);
    await this.#becomes('the kind is established', { ...crds, name }, isEstablished);
    const widgets = { cluster, gvr: widgetsGvr, namespace };
    await this.#make('an object of the kind', widgets, {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: 'one' },
      spec: { size: 1 },
    });
    await this.#read('the object of the kind', { ...widgets, name: 'one' });
    if (this.#options.nth % 2 === 0) await this.#gone('the kind', { ...crds, name });
  }

  async #make(what: string, at: CollectionRef, object: KubeObject): Promise<void> {
    await this.#told(
      what,
      () => this.#client.create(at, object, { timeoutMs: callTimeoutMs }),
      'AlreadyExists',
    );
  }

  async #read(what: string, ref: ObjectRef): Promise<KubeObject> {
    return this.#told(what, () => this.#client.get(ref, { timeoutMs: callTimeoutMs }));
  }

  async #becomes(what: string, ref: ObjectRef, is: (object: KubeObject) => boolean): Promise<void> {
    const { time } = this.#options.world;
    for (let endMs = Number.POSITIVE_INFINITY; !is(await this.#read(what, ref)); ) {
      if (this.#options.signal.aborted) endMs = Math.min(endMs, time.nowMs + broughtAboutMs);
      if (time.nowMs > endMs) throw new Violation(`${what}: it has not become so`);
      await time.sleep(againMs);
    }
  }

  /** Deleted, and gone for good: nobody else makes it. */
  async #gone(what: string, ref: ObjectRef): Promise<void> {
    const { world, signal } = this.#options;
    await this.#told(what, () => this.#client.delete(ref, { timeoutMs: callTimeoutMs }), 'NotFound');
    for (let endMs = Number.POSITIVE_INFINITY; ; ) {
      const there = await this.#told(
        what,
        () => this.#client.get(ref, { timeoutMs: callTimeoutMs }),
        'NotFound',
      );
      if (there === undefined) return;
      if (signal.aborted) endMs = Math.min(endMs, world.time.nowMs + broughtAboutMs);
      if (world.time.nowMs > endMs) throw new Violation(`${what} does not go: ${JSON.stringify(there)}`);
      await world.time.sleep(againMs);
    }
  }

  /** Asked until it is answered. Undefined: refused so as it may be. */
  async #told<T>(what: string, ask: () => Promise<T>): Promise<T>;
  async #told<T>(what: string, ask: () => Promise<T>, may: Refusal): Promise<T | undefined>;
  async #told<T>(what: string, ask: () => Promise<T>, may?: Refusal): Promise<T | undefined> {
    const { world, isLost } = this.#options;
    for (;;) {
      const fromMs = Math.round(world.time.nowMs);
      try {
        return await ask();
      } catch (error) {
        if (isLost()) throw new Lost();
        if (!(error instanceof ApiError)) throw error;
        if (may !== undefined && isApiError(error, may)) return undefined;
        if (isApiError(error, 'NotFound', 'Forbidden', 'AlreadyExists', 'Invalid', 'BadRequest')) {
          throw new Violation(`${what}, asked for at ${fromMs} ms: ${error.reason} ${error.message}`);
        }
      }
      if (isLost()) throw new Lost();
      await world.time.sleep(againMs);
    }
  }
}

function configMap(name: string, data: { readonly [key: string]: string }): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

function isEstablished({ status }: KubeObject): boolean {
  const conditions = isJsonObject(status) ? status['conditions'] : undefined;
  return (
    Array.isArray(conditions) &&
    conditions.some((one) => isJsonObject(one) && one['type'] === 'Established' && one['status'] === 'True')
  );
}
