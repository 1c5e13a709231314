import path from 'node:path';
import type { KubeObject } from '#apimachinery/object.ts';
import { ensurePki } from '#apiserver/pki/pki.ts';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { patient } from '../harness/patient.ts';
import { RawHttp } from '../harness/raw-http.ts';
import { type StartedConstellation, startConstellation } from '../harness/started.ts';
import { connectionAs } from '../harness/test-pki.ts';

export const attackerPath = 'root:acme:shop';
export const victimPath = 'root:globex:shop';
export const victimNamespace = 'victim-ns';
/** Stands in everything that the victim keeps to itself: wherever the attacker sees it, something leaked. */
export const marker = 'GLOBEX-MARKER-7f3a';

/** Someone who speaks to the federation server as one user. */
export interface Actor {
  readonly raw: RawHttp;
  /** Refs name workspaces. */
  readonly client: RemoteClient;
}

/** A running system with a project that has something to lose, and the administrator of another one. */
export class Cast implements AsyncDisposable {
  readonly constellation: StartedConstellation;
  readonly #origin: string;
  readonly #actors: Actor[] = [];

  private constructor(constellation: StartedConstellation, origin: string) {
    this.constellation = constellation;
    this.#origin = origin;
  }

  static async start(): Promise<Cast> {
    const constellation = await startConstellation();
    const root = await loadKubeconfig(constellation.kubeconfig, 'root');
    return new Cast(constellation, new URL(root.server).origin);
  }

  /** The platform's administrator. */
  async admin(): Promise<Actor> {
    return this.#actor(await loadKubeconfig(this.constellation.kubeconfig, 'root'));
  }

  /** A person with a certificate of the platform's CA. */
  async person(name: string, groups: readonly string[] = []): Promise<Actor> {
    const directory = path.join(this.constellation.folder, 'apiserver', 'pki');
    const pki = await ensurePki({ directory, hosts: [], now: new Date() });
    return this.#actor(connectionAs(pki, this.#origin, { name, groups }));
  }

  /** Whoever holds this token. */
  async bearer(token: string): Promise<Actor> {
    const { caPem } = await loadKubeconfig(this.constellation.kubeconfig, 'root');
    return this.#actor({ server: this.#origin, caPem, token });
  }

  /** One of the system's own processes, with its own credentials. */
  async component(name: 'scheduler' | 'federator-a' | 'federator-b'): Promise<Actor> {
    const file = path.join(this.constellation.folder, 'components', `${name}.kubeconfig`);
    return this.#actor(await loadKubeconfig(file));
  }

  #actor(connection: ServerConnection): Actor {
    const own = { ...connection, server: this.#origin };
    const actor = {
      raw: new RawHttp(own),
      client: new RemoteClient(own, { userAgent: 'cellplane-test', limits: patient }),
    };
    this.#actors.push(actor);
    return actor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await disposeAll(
      ...this.#actors.flatMap(({ raw, client }) => [() => raw.close(), () => client.close()]),
      this.constellation,
    );
  }
}

export const gvrs = {
  namespaces: { group: '', version: 'v1', resource: 'namespaces' },
  configmaps: { group: '', version: 'v1', resource: 'configmaps' },
  secrets: { group: '', version: 'v1', resource: 'secrets' },
  serviceaccounts: { group: '', version: 'v1', resource: 'serviceaccounts' },
  deployments: { group: 'apps', version: 'v1', resource: 'deployments' },
  clusterroles: { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' },
  clusterrolebindings: { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' },
  bindings: { group: 'work.karmada.io', version: 'v1alpha2', resource: 'resourcebindings' },
  clusterBindings: { group: 'work.karmada.io', version: 'v1alpha2', resource: 'clusterresourcebindings' },
  policies: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'propagationpolicies' },
  clusterPolicies: {
    group: 'policy.karmada.io',
    version: 'v1alpha1',
    resource: 'clusterpropagationpolicies',
  },
  overrides: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'overridepolicies' },
} as const;

/** Binds a subject to cluster-admin in one workspace. */
export async function makeAdmin(
  admin: Actor,
  cluster: string,
  name: string,
  subject: { readonly [field: string]: string },
): Promise<void> {
  await admin.client.create(
    { cluster, gvr: gvrs.clusterrolebindings },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [subject],
    },
  );
}

/** What the victim has: a namespace with a Secret, a ConfigMap and a Deployment that stand at both edges. */
export async function furnishVictim(admin: Actor): Promise<void> {
  const cluster = victimPath;
  const namespace = victimNamespace;
  const { client } = admin;
  await client.create(
    { cluster, gvr: gvrs.namespaces },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, annotations: { marker } } },
  );
  const metadata = { namespace, labels: { marker } };
  await client.create(
    { cluster, gvr: gvrs.secrets, namespace },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, name: 'crown' },
      stringData: { jewel: marker },
    },
  );
  await client.create(
    { cluster, gvr: gvrs.configmaps, namespace },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...metadata, name: 'crown' },
      data: { jewel: marker },
    },
  );
  await client.create(
    { cluster, gvr: gvrs.deployments, namespace },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, name: 'crown' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'crown' } },
        template: {
          metadata: { labels: { app: 'crown' } },
          spec: { containers: [{ name: 'main', image: 'registry.example/crown' }] },
        },
      },
    },
  );
  await client.create({ cluster, gvr: gvrs.policies, namespace }, everything(namespace));
}

/** A policy that sends all kinds that are named to both cells. */
export function everything(
  namespace: string,
  kinds: readonly (readonly [apiVersion: string, kind: string])[] = [
    ['v1', 'ConfigMap'],
    ['v1', 'Secret'],
    ['apps/v1', 'Deployment'],
  ],
): KubeObject {
  return {
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: namespace === '' ? 'ClusterPropagationPolicy' : 'PropagationPolicy',
    metadata: { name: 'everything', ...(namespace === '' ? {} : { namespace }) },
    spec: {
      resourceSelectors: kinds.map(([apiVersion, kind]) => ({ apiVersion, kind })),
      placement: { clusterAffinity: { clusterNames: ['pop-a-cell-a', 'pop-b-cell-b'] } },
    },
  };
}
