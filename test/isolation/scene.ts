import assert from 'node:assert/strict';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { RemoteClient } from '#client/remote/remote-client.ts';
import type { RawHttp, RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import {
  type Actor,
  attackerPath,
  Cast,
  furnishVictim,
  gvrs,
  makeAdmin,
  marker,
  victimNamespace,
  victimPath,
} from './cast.ts';
import { everyVerb } from './every-path.ts';

export const cells = ['pop-a-cell-a', 'pop-b-cell-b'] as const;
export const refusals: readonly number[] = [401, 403, 404];
const requestsAtOnce = 16;

/** The system with a victim whose objects stand at both edges, and mallory, who may do everything in another project. */
export class Scene implements AsyncDisposable {
  readonly cast: Cast;
  readonly admin: Actor;
  readonly mallory: Actor;
  /** Of the victim's logical cluster. */
  readonly victimId: string;
  readonly edges: ReadonlyMap<string, RemoteClient>;

  private constructor(parts: Pick<Scene, 'cast' | 'admin' | 'mallory' | 'victimId' | 'edges'>) {
    this.cast = parts.cast;
    this.admin = parts.admin;
    this.mallory = parts.mallory;
    this.victimId = parts.victimId;
    this.edges = parts.edges;
  }

  static async set(): Promise<Scene> {
    const cast = await Cast.start();
    try {
      const admin = await cast.admin();
      const mallory = await cast.person('mallory');
      const edges = new Map<string, RemoteClient>();
      for (const cell of cells) edges.set(cell, await cast.constellation.client(`edge-${cell}`));
      const user = { kind: 'User', name: 'mallory', apiGroup: 'rbac.authorization.k8s.io' };
      await makeAdmin(admin, attackerPath, 'mallory', user);
      await furnishVictim(admin);
      const crown = { cluster: victimPath, gvr: gvrs.secrets, namespace: victimNamespace, name: 'crown' };
      const { annotations = {} } = (await admin.client.get(crown)).metadata;
      const scene = new Scene({ cast, admin, mallory, victimId: annotations['kcp.io/cluster'] ?? '', edges });
      assert.match(scene.victimId, /^[a-z0-9]{16}$/);
      for (const cell of cells) {
        await until(`the crown is at ${cell}`, () => scene.victimAtEdge(cell));
        await until(`the secret is at ${cell}`, async () =>
          (await scene.edgeObjects(cell, 'secrets')).find((item) => originOf(item) === victimPath),
        );
      }
      await scene.rests();
      return scene;
    } catch (error) {
      await cast[Symbol.asyncDispose]();
      throw error;
    }
  }

  async edgeObjects(cell: string, resource: 'configmaps' | 'secrets' | 'namespaces'): Promise<KubeObject[]> {
    const edge = this.edges.get(cell) as RemoteClient;
    return (await edge.list({ cluster: undefined, gvr: gvrs[resource] })).items;
  }

  /** The victim's ConfigMap at an edge. */
  async victimAtEdge(cell: string): Promise<KubeObject | undefined> {
    const items = await this.edgeObjects(cell, 'configmaps');
    return items.find((item) => originOf(item) === victimPath && item.metadata.name === 'crown');
  }

  /** Waits until what a new namespace is given by the server has come too, and nothing of the victim changes any more. */
  async rests(): Promise<void> {
    const rootCa = { cluster: victimPath, gvr: gvrs.configmaps, namespace: victimNamespace };
    await until('the namespace is furnished', () =>
      this.admin.client.get({ ...rootCa, name: 'kube-root-ca.crt' }),
    );
    let before = '';
    let same = 0;
    await until(
      'the victim rests',
      async () => {
        const now = await this.victimState();
        same = now === before ? same + 1 : 0;
        before = now;
        return same >= 4;
      },
      { everyMs: 250 },
    );
  }

  /** Everything that the victim has, here and at the edges, with its revisions. */
  async victimState(): Promise<string> {
    const objects: KubeObject[] = [];
    const kinds = ['secrets', 'configmaps', 'namespaces', 'clusterroles', 'clusterrolebindings'] as const;
    for (const kind of kinds) {
      objects.push(...(await this.admin.client.list({ cluster: victimPath, gvr: gvrs[kind] })).items);
    }
    for (const cell of cells) {
      for (const resource of ['configmaps', 'secrets', 'namespaces'] as const) {
        const items = await this.edgeObjects(cell, resource);
        objects.push(...items.filter((item) => originOf(item) === victimPath));
      }
    }
    return JSON.stringify(objects.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cast[Symbol.asyncDispose]();
  }
}

export function originOf({ metadata }: KubeObject): string {
  return metadata.annotations?.[copyAnnotations.originPath] ?? '';
}

/** Sends all requests; each must be answered by one of these statuses, and show nothing of the victim. */
export async function refused(
  who: RawHttp,
  requests: readonly RawRequest[],
  allowed: readonly number[] = refusals,
): Promise<void> {
  for (let at = 0; at < requests.length; at += requestsAtOnce) {
    await Promise.all(
      requests.slice(at, at + requestsAtOnce).map(async (request) => {
        const { status, text } = await who.send(request);
        const told = `${request.method ?? 'GET'} ${request.path}: ${status} ${text.slice(0, 300)}`;
        assert.ok(allowed.includes(status), told);
        assert.equal(text.includes(marker), false, `leaks: ${told}`);
      }),
    );
  }
}

/** Every verb on these paths of one workspace. */
export function inside(cluster: string, paths: readonly string[]): RawRequest[] {
  return paths.flatMap((path) => everyVerb(`/clusters/${cluster}${path}`));
}
