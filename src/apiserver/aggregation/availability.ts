import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import { callFault, deadlineExceeded } from '../services/hook-faults.ts';
import { type ServiceAddress, ServiceAddressError } from '../services/service-address.ts';
import { NetworkError } from '../services/service-networks.ts';
import type { RemoteApiService } from './api-service.ts';
import { identityHeaders } from './identity-headers.ts';
import type { RemoteRequests } from './remote-requests.ts';

const probeTimeoutMs = 5_000;
const discoveryBytesMax = 4 * 1024 * 1024;

/** As whom the aggregator asks for itself. */
export const aggregatorUser: UserInfo = {
  name: 'system:kube-aggregator',
  groups: [systemMasters],
  extra: new Map(),
};

interface AvailableCondition extends JsonObject {
  type: 'Available';
  status: 'True' | 'False';
  reason: string;
  message: string;
}

/** What a probe found: the condition, and the APIResourceList where there is one. */
export interface Probe {
  readonly condition: AvailableCondition;
  readonly resources: JsonObject | undefined;
}

/**
 * Asks for the discovery document of what an APIService names: that its server answers it is what makes the APIService
 * available (KUBERNETES.md O1; reasons and messages are those of k8s.io/kube-aggregator/pkg/controllers/status/remote).
 * Rejects only with a defect.
 */
export async function probe(
  requests: RemoteRequests,
  remote: RemoteApiService,
  signal: AbortSignal,
): Promise<Probe> {
  const path = `/apis/${remote.group}/${remote.version}`;
  let address: ServiceAddress;
  try {
    address = requests.resolve(remote);
  } catch (error) {
    if (error instanceof ServiceAddressError) return unavailable(error.reason, error.message);
    if (error instanceof NetworkError) return unavailable('AddressNotAllowed', error.message);
    throw error;
  }
  const url = urlOf(address, path);
  const failed = (why: string) =>
    unavailable('FailedDiscoveryCheck', `failing or missing response from ${url}: ${why}`);
  try {
    const { status, body } = await requests.read(remote, path, {
      headers: { ...identityHeaders(aggregatorUser), accept: 'application/json' },
      timeoutMs: probeTimeoutMs,
      bytesMax: discoveryBytesMax,
      signal,
      address,
    });
    if (status < 200 || status >= 300) return failed(`bad status from ${url}: ${status}`);
    const condition = {
      type: 'Available',
      status: 'True',
      reason: 'Passed',
      message: 'all checks passed',
    } as const;
    return { condition, resources: resourceListOf(body) };
  } catch (error) {
    // A name is judged when it is resolved, which is part of connecting.
    if (error instanceof NetworkError) return unavailable('AddressNotAllowed', error.message);
    return failed(`Get ${JSON.stringify(url)}: ${readFault(error)}`);
  }
}

function urlOf({ host, port }: ServiceAddress, path: string): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

/** As Go's http.Client tells it. */
function readFault(error: unknown): string {
  const fault = callFault(error);
  return fault === deadlineExceeded ? `${fault} (Client.Timeout exceeded while awaiting headers)` : fault;
}

export function unavailable(reason: string, message: string): Probe {
  return { condition: { type: 'Available', status: 'False', reason, message }, resources: undefined };
}

function resourceListOf(body: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isJsonObject(value) && value['kind'] === 'APIResourceList' ? value : undefined;
  } catch {
    return undefined;
  }
}
