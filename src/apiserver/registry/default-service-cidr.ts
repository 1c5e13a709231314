import type { KubeObject } from '#apimachinery/object.ts';
import type { IpRange } from './ip-range.ts';

/**
 * The ServiceCIDR `kubernetes` that every cluster has (KEP-1880): it tells the ranges that the server was started with.
 * Addresses are handed out from those, whatever other ServiceCIDRs say (decision 134).
 */
export function defaultServiceCidr(ranges: readonly IpRange[], createdAt: string): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ranges.map(({ text }) => text) },
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: '',
          message: 'Kubernetes Service CIDR is ready',
          lastTransitionTime: createdAt,
        },
      ],
    },
  };
}
