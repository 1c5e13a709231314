import { booleanAt, numberAt, objectAt, objectsAt, textAt } from '#api/builtin/read.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServiceReference } from '../services/service-address.ts';

export const apiServiceGroup = 'apiregistration.k8s.io';
export const apiServiceResource = 'apiservices';

/** An APIService that names a Service (KUBERNETES.md O1): what the aggregator needs of it. */
export interface RemoteApiService {
  readonly clusterId: string;
  /** `<version>.<group>` */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly service: ServiceReference;
  /** PEM; undefined: the system's authorities. */
  readonly caPem: string | undefined;
  readonly skipsVerification: boolean;
  readonly groupPriority: number;
  readonly versionPriority: number;
  /** What its condition Available said when it was stored. */
  readonly wasAvailable: boolean;
}

const defaultPort = 443;

/** Undefined for one without a Service: what it names is served here. */
export function remoteApiServiceOf(clusterId: string, object: KubeObject): RemoteApiService | undefined {
  const spec = objectAt(object, 'spec');
  const service = objectAt(spec, 'service');
  if (spec === undefined || service === undefined) return undefined;
  const caBundle = textAt(spec, 'caBundle');
  return {
    clusterId,
    name: object.metadata.name ?? '',
    group: textAt(spec, 'group'),
    version: textAt(spec, 'version'),
    service: {
      namespace: textAt(service, 'namespace'),
      name: textAt(service, 'name'),
      port: numberAt(service, 'port') ?? defaultPort,
    },
    caPem: caBundle === '' ? undefined : Buffer.from(caBundle, 'base64').toString('utf8'),
    skipsVerification: booleanAt(spec, 'insecureSkipTLSVerify') === true,
    groupPriority: numberAt(spec, 'groupPriorityMinimum') ?? 0,
    versionPriority: numberAt(spec, 'versionPriority') ?? 0,
    wasAvailable: objectsAt(object, 'status', 'conditions').some(
      (one) => one['type'] === 'Available' && one['status'] === 'True',
    ),
  };
}

/** Whether two records are served alike: their state and documents need not be learnt anew. */
export function leadsAlike(a: RemoteApiService, b: RemoteApiService): boolean {
  return (
    a.service.namespace === b.service.namespace &&
    a.service.name === b.service.name &&
    a.service.port === b.service.port &&
    a.caPem === b.caPem &&
    a.skipsVerification === b.skipsVerification
  );
}
