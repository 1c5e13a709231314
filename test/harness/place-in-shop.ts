import type { KubeClient } from '#client/client.ts';

const policiesGvr = {
  group: 'policy.karmada.io',
  version: 'v1alpha1',
  resource: 'propagationpolicies',
} as const;

/** What the selectors name in the project's namespace `shop` goes to these cells. */
export async function placeInShop(
  admin: KubeClient,
  project: string,
  name: string,
  resourceSelectors: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name?: string;
  }[],
  clusterNames: readonly string[],
): Promise<void> {
  await admin.create(
    { cluster: project, gvr: policiesGvr, namespace: 'shop' },
    {
      apiVersion: 'policy.karmada.io/v1alpha1',
      kind: 'PropagationPolicy',
      metadata: { name, namespace: 'shop' },
      spec: {
        resourceSelectors: resourceSelectors.map((one) => ({ ...one })),
        placement: { clusterAffinity: { clusterNames: [...clusterNames] } },
      },
    },
  );
}
