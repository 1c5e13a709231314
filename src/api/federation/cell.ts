import { type FieldError, forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { type Condition, conditionOf } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import type { Location } from '../policy/placement.ts';
import { type TimeWindow, validateTimeWindows, validateTimeZone } from '../policy/time-window.ts';
import { validateWorkspaceName } from '../tenancy/names.ts';
import { cellScheduling, taintsText } from './cell-scheduling.ts';
import { cellSchema } from './cell-schema.ts';
import { cellFinalizer, federationGroup, federationVersion } from './group.ts';

export const cellsGvr = { group: federationGroup, version: federationVersion, resource: 'cells' } as const;

export interface Taint extends JsonObject {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  timeAdded?: string;
}

/** federation.cellplane.io/v1alpha1 Cell: one downstream edge control plane. Cluster-scoped, in `root:cells`. */
export interface Cell extends KubeObject {
  spec?: CellSpec;
  status?: CellStatus;
}

/** An HTTP endpoint that knows the cell's nodes (docs/policies.md, Estimators). */
export interface EstimatorSpec extends JsonObject {
  /** `https://…` or `http://…`; requests are posted there. */
  url: string;
  /** PEM; absent: the system's. */
  caBundle?: string;
  /** Default 1,000. */
  timeoutMs?: number;
}

export interface CellSpec extends JsonObject {
  /** `https://…` of the edge API server. */
  apiEndpoint?: string;
  /** In `root:cells`: keys `token`, or `tls.crt` and `tls.key`, and `caBundle`. */
  secretRef?: { namespace: string; name: string };
  proxyURL?: string;
  provider?: string;
  region?: string;
  zones?: string[];
  taints?: Taint[];
  /** Point of presence. */
  pop?: string;
  dataCenter?: string;
  weight?: number;
  cost?: number;
  location?: Location;
  /** IANA name; absent: UTC. */
  timeZone?: string;
  /** When the cell takes no new work. */
  maintenanceWindows?: TimeWindow[];
  /** Tells how many replicas fit; asked when room decides. */
  estimator?: EstimatorSpec;
  capacity?: { [resource: string]: string | number };
  /** Workspace paths that may use the cell; `root:acme:*` is all below, `*` everyone. Absent: everyone. */
  projects?: string[];
  allow?: {
    /** Kinds that grant authority or act beyond a namespace and may yet come here. */
    kinds?: { group: string; kind: string }[];
    /** ClusterRoles of the edge that a copy's roleRef may name. */
    clusterRoles?: string[];
  };
  apis?: {
    /** API groups whose kinds projects may bring; `*.example.com` is all below. Absent: any not ending in `k8s.io`. */
    groups?: string[];
  };
  federator?: { name?: string; selector?: JsonObject };
  deletionPolicy?: 'Orphan' | 'Withdraw';
  deletionBudget?: { maxObjects?: number; maxPercent?: number; windowSeconds?: number };
  healthCheck?: {
    intervalSeconds?: number;
    timeoutSeconds?: number;
    failureThreshold?: number;
    successThreshold?: number;
  };
  suspend?: boolean;
  /**
   * Whether the cell's federator watches the edge's nodes and pods, and tells `status.allocatable`, `allocated` and `nodeRoom`.
   * Absent: where it may, and nobody else tells them.
   */
  watchNodes?: boolean;
}

export interface CellStatus extends JsonObject {
  conditions?: Condition[];
  /** Logical cluster of the cell's workspace; written through the subresource `assignment` alone. */
  cluster?: string;
  kubernetesVersion?: string;
  apiEnablements?: { groupVersion: string; resources: { name: string; kind: string }[] }[];
  capacity?: { [resource: string]: string | number };
  allocatable?: { [resource: string]: string | number };
  allocated?: { [resource: string]: string | number };
  /** What is free on usable nodes: those together that have about as much, with what each has. */
  nodeRoom?: NodeRoomTold[];
  /** How these nodes differ in what lets pods on them; absent: it is not known. */
  nodeKinds?: NodeKindsTold;
  /** Pods that the edge has found no node for; absent: it is not known. */
  unschedulable?: UnschedulableTold;
  lastProbe?: { time?: string; latencyMs?: number; error?: string };
  /** Who holds the cell: `assignment.federator`, for columns and selectors. */
  federator?: string;
  /** Written through the subresource `assignment` alone. */
  assignment?: { federator: string; epoch: number; since?: string };
  syncLag?: string;
  objects?: { synced?: number; pending?: number; failed?: number };
}

/** By what they are replicas of. */
export interface UnschedulableTold extends JsonObject {
  workloads: UnschedulableWorkload[];
  /** Pods of further workloads; absent: there are none. */
  others?: number;
}

/** Names as at the edge. */
export interface UnschedulableWorkload extends JsonObject {
  kind: string;
  namespace: string;
  name: string;
  pods: number;
}

export interface NodeRoomTold extends JsonObject {
  nodes: number;
  free: { [resource: string]: string | number };
  /** Index into `nodeKinds.kinds`; absent: it is not known, and they count for any pod. */
  kind?: number;
}

/** Labels and taints of usable nodes; those that have the same are of one kind. */
export interface NodeKindsTold extends JsonObject {
  /** That all of them have. */
  labels?: { [key: string]: string };
  /** Keys of labels that nodes have, or may have, and that are not told; `*`: any that is not told. */
  untoldLabels?: string[];
  kinds: NodeKindTold[];
}

export interface NodeKindTold extends JsonObject {
  /** Besides those that all have. */
  labels?: { [key: string]: string };
  /** Of the effects NoSchedule and NoExecute. */
  taints?: NodeTaint[];
}

export interface NodeTaint extends JsonObject {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'NoExecute';
}

const conditionStatus = (type: string) => (object: KubeObject) =>
  conditionOf((object as Cell).status?.conditions, type)?.status ?? null;

export const cellDefinition = defineResource({
  group: federationGroup,
  kind: 'Cell',
  plural: 'cells',
  categories: ['cellplane'],
  namespaced: false,
  versions: [
    {
      name: federationVersion,
      subresources: { status: true, other: [{ name: 'assignment', verbs: ['get', 'update'] }] },
      selectableFields: ['.spec.region', '.spec.provider', '.spec.pop', '.status.federator'],
      columns: [
        { name: 'Ready', type: 'string', value: conditionStatus('Ready') },
        { name: 'Synced', type: 'string', value: conditionStatus('Synced') },
        { name: 'Scheduling', type: 'string', value: (object) => cellScheduling(object as Cell) },
        { name: 'Federator', type: 'string', jsonPath: '.status.federator' },
        { name: 'POP', type: 'string', jsonPath: '.spec.pop' },
        { name: 'Region', type: 'string', jsonPath: '.spec.region' },
        { name: 'Taints', type: 'string', priority: 1, value: (object) => taintsText(object as Cell) },
        { name: 'Reachable', type: 'string', priority: 1, value: conditionStatus('Reachable') },
        { name: 'Provider', type: 'string', priority: 1, jsonPath: '.spec.provider' },
        { name: 'Version', type: 'string', priority: 1, jsonPath: '.status.kubernetesVersion' },
        { name: 'Endpoint', type: 'string', priority: 1, jsonPath: '.spec.apiEndpoint' },
        ageColumn,
      ],
      schema: cellSchema,
    },
  ],
  strategy: {
    // The cell's workspace bears its name, so a cell's name is a workspace's.
    validateName: validateWorkspaceName,
    defaults: setDefaults,
    prepareForCreate: (object) => {
      const finalizers = object.metadata.finalizers ?? [];
      if (!finalizers.includes(cellFinalizer)) object.metadata.finalizers = [...finalizers, cellFinalizer];
    },
    prepareForUpdate: (object, old, subresource) => keepOthersFields(object, old as Cell, subresource),
    validate: (object) => validateCell(object as Cell),
    validateUpdate: (object, old) => [
      ...validateCell(object as Cell),
      ...validateEpoch(object as Cell, old as Cell),
    ],
  },
});

/** Cells as a project sees those that it may use: read-only, without what is not for it; never stored. */
export const projectCellDefinition: ResourceDefinition = {
  ...cellDefinition,
  virtual: true,
  versions: cellDefinition.versions.map((version) => ({
    ...version,
    verbs: ['get', 'list', 'watch'],
    subresources: [],
    columns: version.columns.filter(({ name }) => name !== 'Federator' && name !== 'Endpoint'),
    selectableFields: new Map(
      [...version.selectableFields].filter(([field]) => field !== 'status.federator'),
    ),
  })),
};

/** Whether the project at `path` may use the cell. */
export function projectMayUse(cell: Pick<Cell, 'spec'>, path: string): boolean {
  return cell.spec?.projects?.some((pattern) => coversPath(pattern, path)) ?? true;
}

function coversPath(pattern: string, path: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith(':*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

/** Whether projects may bring CRDs of this API group to the cell (DESIGN: APIs in a cell belong to the cell). */
export function mayBringGroup(cell: Cell, group: string): boolean {
  const patterns = cell.spec?.apis?.groups;
  if (patterns === undefined) return group !== 'k8s.io' && !group.endsWith('.k8s.io');
  return patterns.some((pattern) =>
    pattern.startsWith('*.') ? group.endsWith(pattern.slice(1)) : pattern === '*' || pattern === group,
  );
}

/** Whether the cell lets copies of a kind in that grants authority or acts beyond a namespace. */
export function cellAllowsKind(cell: Cell, group: string, kind: string): boolean {
  return cell.spec?.allow?.kinds?.some((one) => one.group === group && one.kind === kind) ?? false;
}

function setDefaults(object: KubeObject): void {
  const cell = object as Cell;
  cell.spec ??= {};
  const { spec } = cell;
  spec.deletionPolicy ??= 'Orphan';
  const check = { ...spec.healthCheck };
  check.intervalSeconds ??= 30;
  // A probe that takes longer than the pause between two of them would overlap the next.
  check.timeoutSeconds ??= Math.min(10, check.intervalSeconds);
  check.failureThreshold ??= 3;
  check.successThreshold ??= 1;
  spec.healthCheck = check;
}

/**
 * The assignment has a writer of its own: `/assignment` changes nothing else, and no other path changes it. That the
 * main path leaves status alone, and `/status` the rest, is the registry's rule for all kinds (KUBERNETES.md C7).
 */
function keepOthersFields(object: KubeObject, old: Cell, subresource: string): void {
  const cell = object as Cell;
  const oldStatus = old.status;
  if (subresource === 'assignment') {
    const { assignment, cluster } = cell.status ?? {};
    for (const key of Object.keys(cell)) {
      if (key !== 'apiVersion' && key !== 'kind' && key !== 'metadata') delete cell[key];
    }
    for (const key of Object.keys(old)) {
      if (key !== 'apiVersion' && key !== 'kind' && key !== 'metadata') cell[key] = old[key];
    }
    const { resourceVersion, managedFields } = cell.metadata;
    cell.metadata = { ...old.metadata };
    if (resourceVersion !== undefined) cell.metadata.resourceVersion = resourceVersion;
    if (managedFields !== undefined) cell.metadata.managedFields = managedFields;
    cell.status = { ...oldStatus };
    putAssignment(cell.status, assignment, cluster);
  } else if (subresource === 'status') {
    cell.status = { ...cell.status };
    putAssignment(cell.status, oldStatus?.assignment, oldStatus?.cluster);
  }
}

function putAssignment(
  status: CellStatus,
  assignment: CellStatus['assignment'],
  cluster: string | undefined,
): void {
  if (cluster === undefined) delete status.cluster;
  else status.cluster = cluster;
  if (assignment === undefined) {
    delete status.assignment;
    delete status.federator;
  } else {
    status.assignment = assignment;
    status.federator = assignment.federator;
  }
}

function validateCell({ spec = {} }: Cell): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.apiEndpoint !== undefined)
    checkUrl('spec.apiEndpoint', spec.apiEndpoint, ['https:', 'http:'], errors);
  if (spec.proxyURL !== undefined) {
    checkUrl('spec.proxyURL', spec.proxyURL, ['https:', 'http:', 'socks5:'], errors);
  }
  if (spec.apiEndpoint === undefined && spec.secretRef !== undefined) {
    errors.push(required('spec.apiEndpoint', 'a secret is of no use without an endpoint'));
  }
  if (spec.estimator !== undefined)
    checkUrl('spec.estimator.url', spec.estimator.url, ['https:', 'http:'], errors);
  validateTimeZone(spec.timeZone, 'spec.timeZone', errors);
  validateTimeWindows(spec.maintenanceWindows, 'spec.maintenanceWindows', errors);
  const { federator, healthCheck = {}, taints = [], projects = [] } = spec;
  if (federator?.name !== undefined && federator.selector !== undefined) {
    errors.push(forbiddenField('spec.federator', 'may not name both a federator and a selector'));
  }
  const { intervalSeconds = 30, timeoutSeconds = 10 } = healthCheck;
  if (timeoutSeconds > intervalSeconds) {
    errors.push(
      invalid('spec.healthCheck.timeoutSeconds', timeoutSeconds, 'must not be greater than intervalSeconds'),
    );
  }
  const seen = new Set<string>();
  taints.forEach(({ key, effect }, index) => {
    if (seen.has(`${key}:${effect}`)) {
      errors.push(invalid(`spec.taints[${index}]`, key, 'taints must be unique by key and effect'));
    }
    seen.add(`${key}:${effect}`);
  });
  projects.forEach((pattern, index) => {
    if (pattern !== '*' && !/^[a-z0-9-]+(:[a-z0-9-]+)*(:\*)?$/.test(pattern)) {
      errors.push(
        invalid(`spec.projects[${index}]`, pattern, 'must be a workspace path, a path followed by :*, or *'),
      );
    }
  });
  return errors;
}

function checkUrl(field: string, text: string, protocols: readonly string[], errors: FieldError[]): void {
  if (!URL.canParse(text)) {
    errors.push(invalid(field, text, 'must be a URL'));
    return;
  }
  const url = new URL(text);
  if (!protocols.includes(url.protocol)) {
    errors.push(invalid(field, text, `must begin with one of ${protocols.join(', ')}`));
  }
  if (url.username !== '' || url.password !== '') {
    errors.push(forbiddenField(field, 'must not hold credentials; they belong in the secret'));
  }
}

/** The epoch fences: it rises with every change of hands and never falls. */
function validateEpoch(cell: Cell, old: Cell): FieldError[] {
  const before = old.status?.assignment;
  const after = cell.status?.assignment;
  if (before === undefined || equalJson(before, after)) return [];
  if (after === undefined) return [forbiddenField('status.assignment', 'may not be unset')];
  const least = before.federator === after.federator ? before.epoch : before.epoch + 1;
  if (after.epoch >= least) return [];
  return [invalid('status.assignment.epoch', after.epoch, `must be at least ${least}`)];
}
