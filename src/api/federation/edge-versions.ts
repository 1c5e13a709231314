import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { conversionOf } from '../builtin/conversion/conversion.ts';

/** A version, other than the one that we store, in which an edge of an older Kubernetes may serve a kind of Kubernetes' own. */
export interface EdgeVersion {
  readonly version: string;
  /** A stored object in this version. Loses nothing that the version has a place for; what it lacks the edge refuses. */
  readonly toEdge: (object: KubeObject) => KubeObject;
  /** The status of an object of this version, in the form of the stored one. */
  readonly statusOf: (object: KubeObject) => JsonValue | undefined;
}

/**
 * By `<group>/<resource>`, the newest first: what Kubernetes has served since 1.16, where server-side apply begins, of kinds that
 * copies can be of. A version alone has the same fields under the same names as the stored one.
 */
const table: { readonly [kind: string]: readonly (string | EdgeVersion)[] } = {
  'admissionregistration.k8s.io/mutatingadmissionpolicies': ['v1beta1', 'v1alpha1'],
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': ['v1beta1', 'v1alpha1'],
  'admissionregistration.k8s.io/validatingadmissionpolicies': ['v1beta1', 'v1alpha1'],
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': ['v1beta1', 'v1alpha1'],
  'autoscaling/horizontalpodautoscalers': [
    'v2beta2',
    ofOurs('autoscaling', 'v1', 'horizontalpodautoscalers'),
  ],
  'batch/cronjobs': ['v1beta1'],
  'flowcontrol.apiserver.k8s.io/flowschemas': ['v1beta3', 'v1beta2', 'v1beta1'],
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': [
    written('v1beta3', keepZeroShares),
    written('v1beta2', assureShares),
    written('v1beta1', assureShares),
  ],
  'networking.k8s.io/ingressclasses': ['v1beta1'],
  'networking.k8s.io/ingresses': [written('v1beta1', ingressToV1beta1)],
  'node.k8s.io/runtimeclasses': ['v1beta1'],
  'policy/poddisruptionbudgets': [written('v1beta1', selectAllByLabel)],
  'rbac.authorization.k8s.io/clusterroles': ['v1beta1'],
  'rbac.authorization.k8s.io/roles': ['v1beta1'],
  'rbac.authorization.k8s.io/rolebindings': ['v1beta1'],
  'resource.k8s.io/deviceclasses': ['v1beta2', 'v1beta1'],
  'resource.k8s.io/resourceclaims': ['v1beta2', ofOurs('resource.k8s.io', 'v1beta1', 'resourceclaims')],
  'resource.k8s.io/resourceclaimtemplates': [
    'v1beta2',
    ofOurs('resource.k8s.io', 'v1beta1', 'resourceclaimtemplates'),
  ],
  'scheduling.k8s.io/priorityclasses': ['v1beta1'],
  'storage.k8s.io/csidrivers': ['v1beta1'],
  'storage.k8s.io/storageclasses': ['v1beta1'],
  'storage.k8s.io/volumeattributesclasses': ['v1beta1', 'v1alpha1'],
};

/** What an older edge may serve a kind in, the best first; none for custom kinds. */
export function edgeVersionsOf(group: string, resource: string): readonly EdgeVersion[] {
  return versionsByKind.get(`${group}/${resource}`) ?? [];
}

export function edgeVersionOf(group: string, version: string, resource: string): EdgeVersion | undefined {
  return edgeVersionsOf(group, resource).find((one) => one.version === version);
}

const versionsByKind = new Map(
  Object.entries(table).map(([kind, versions]): [string, readonly EdgeVersion[]] => {
    const group = kind.slice(0, kind.indexOf('/'));
    return [
      kind,
      versions.map((one) => {
        const { version, toEdge, statusOf } =
          typeof one === 'string' ? written(one, (object) => object) : one;
        const apiVersion = `${group}/${version}`;
        return { version, toEdge: (object) => ({ ...toEdge(object), apiVersion }), statusOf };
      }),
    ];
  }),
);

/** One whose spec is written otherwise, and whose status is not. */
function written(version: string, toEdge: EdgeVersion['toEdge']): EdgeVersion {
  return { version, toEdge, statusOf: (object) => object['status'] };
}

/** One that our own API server serves as well. */
function ofOurs(group: string, version: string, resource: string): EdgeVersion {
  const { fromStorage, toStorage } = conversionOf(group, version, resource);
  return {
    version,
    toEdge: (object) => fromStorage?.(object) ?? object,
    statusOf: (object) => (toStorage?.(object) ?? object)['status'],
  };
}

function withSpec(object: KubeObject, change: (spec: JsonObject) => JsonObject): KubeObject {
  const spec = object['spec'];
  return isJsonObject(spec) ? { ...object, spec: change(spec) } : object;
}

/**
 * In policy/v1beta1 an empty selector matches nothing. What matches everything is written as Kubernetes does it
 * (pkg/apis/policy/v1beta1/conversion.go): by the absence of a label that nobody has.
 */
function selectAllByLabel(object: KubeObject): KubeObject {
  return withSpec(object, (spec) => {
    const { selector } = spec;
    if (!isJsonObject(selector)) return spec;
    const { matchLabels, matchExpressions } = selector;
    const isEmpty =
      (!isJsonObject(matchLabels) || Object.keys(matchLabels).length === 0) &&
      (!Array.isArray(matchExpressions) || matchExpressions.length === 0);
    if (!isEmpty) return spec;
    const key = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';
    return { ...spec, selector: { matchExpressions: [{ key, operator: 'DoesNotExist' }] } };
  });
}

/** networking.k8s.io/v1beta1 names a backend's service in two fields, and the default backend otherwise. */
function ingressToV1beta1(object: KubeObject): KubeObject {
  return withSpec(object, ({ defaultBackend, rules, ...spec }) => ({
    ...spec,
    ...(isJsonObject(defaultBackend) ? { backend: backendToV1beta1(defaultBackend) } : {}),
    ...(Array.isArray(rules) ? { rules: rules.map(ruleToV1beta1) } : {}),
  }));
}

function ruleToV1beta1(rule: JsonValue): JsonValue {
  if (!isJsonObject(rule) || !isJsonObject(rule['http'])) return rule;
  const { paths, ...http } = rule['http'];
  if (!Array.isArray(paths)) return rule;
  const converted = paths.map((path) =>
    isJsonObject(path) && isJsonObject(path['backend'])
      ? { ...path, backend: backendToV1beta1(path['backend']) }
      : path,
  );
  return { ...rule, http: { ...http, paths: converted } };
}

function backendToV1beta1({ service, ...others }: JsonObject): JsonObject {
  if (!isJsonObject(service)) return others;
  const port = isJsonObject(service['port']) ? service['port'] : {};
  const servicePort = port['name'] ?? port['number'];
  return {
    ...others,
    serviceName: service['name'] ?? '',
    ...(servicePort === undefined ? {} : { servicePort }),
  };
}

/** Before flowcontrol v1beta3 shares had another name. */
function assureShares(object: KubeObject): KubeObject {
  return withSpec(object, (spec) => {
    const { limited } = spec;
    if (!isJsonObject(limited)) return spec;
    const { nominalConcurrencyShares, ...others } = limited;
    if (nominalConcurrencyShares === undefined) return spec;
    return { ...spec, limited: { ...others, assuredConcurrencyShares: nominalConcurrencyShares } };
  });
}

/** In v1beta3 no shares are told apart from shares that are not given by an annotation (k8s.io/api/flowcontrol/v1beta3). */
function keepZeroShares(object: KubeObject): KubeObject {
  const spec = object['spec'];
  const limited = isJsonObject(spec) ? spec['limited'] : undefined;
  if (!isJsonObject(limited) || limited['nominalConcurrencyShares'] !== 0) return object;
  const annotations = {
    ...object.metadata.annotations,
    'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares': '',
  };
  return { ...object, metadata: { ...object.metadata, annotations } };
}
