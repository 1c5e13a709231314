import type { JsonObject } from '#apimachinery/json.ts';
import {
  kindSchema,
  labelSelectorSchema,
  locationSchema,
  quantityMapSchema,
  stringSchema,
  stringSetSchema,
  timeSchema,
} from '../fragments.ts';
import { timeWindowsSchema } from '../policy/time-window.ts';
import { cellStatusSchema } from './cell-status-schema.ts';

const positive: JsonObject = { type: 'integer', format: 'int32', minimum: 1 };

const taints: JsonObject = {
  type: 'array',
  description:
    'What keeps objects away whose policy has no toleration for it (clusterTolerations). One for each key and effect; absent: nothing.',
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['key', 'effect'],
    properties: {
      key: { type: 'string', minLength: 1, maxLength: 316, description: 'The name that tolerations go by.' },
      value: {
        type: 'string',
        maxLength: 63,
        description: 'What tolerations with operator Equal compare. Absent: empty.',
      },
      effect: {
        type: 'string',
        enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'],
        description:
          'NoSchedule: nothing new comes. PreferNoSchedule: other cells are preferred where there is a choice. NoExecute: nothing new comes, and what is here leaves once it has a place elsewhere.',
      },
      timeAdded: {
        ...timeSchema,
        description:
          'Since when it is there: tolerationSeconds count from then. Absent: since a scheduler saw it first.',
      },
    },
  },
};

const estimator: JsonObject = {
  type: 'object',
  description:
    'Tells how many replicas fit. Asked where room decides; the lesser of its answer and what status says counts. Absent: status and capacity alone.',
  required: ['url'],
  properties: {
    url: { ...stringSchema, minLength: 1, description: 'http or https; questions are posted there as JSON.' },
    caBundle: {
      ...stringSchema,
      description: 'PEM certificates that its own is checked against. Absent: those that the system trusts.',
    },
    timeoutMs: {
      type: 'integer',
      format: 'int32',
      minimum: 10,
      maximum: 10_000,
      description:
        'Milliseconds that an answer may take; default 1000. One that is late is not asked for half a minute.',
    },
  },
};

const allow: JsonObject = {
  type: 'object',
  description:
    'What grants authority or acts beyond a namespace and may yet come here. Absent: nothing of it.',
  properties: {
    kinds: {
      type: 'array',
      description:
        'Kinds such as roles, webhook configurations, classes and PersistentVolumes that copies may be of. Others are refused with KindNotAllowed.',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['group', 'kind'],
        properties: {
          group: { ...stringSchema, description: 'API group, without version; empty for the core group.' },
          kind: { ...stringSchema, minLength: 1, description: 'The kind, as in manifests: ClusterRole.' },
        },
      },
    },
    clusterRoles: {
      ...stringSetSchema,
      description:
        "ClusterRoles of the edge that a project's role bindings may name beside the project's own. Absent: none.",
    },
  },
};

const deletionBudget: JsonObject = {
  type: 'object',
  description:
    'More deletions than this within the window are held until released by hand, save of namespaces and definitions, which go when they are empty. Absent: none is held for its number.',
  properties: {
    maxObjects: {
      type: 'integer',
      format: 'int64',
      minimum: 0,
      description: 'Deletions within a window. Absent: maxPercent alone counts; of both the lesser does.',
    },
    maxPercent: {
      type: 'integer',
      format: 'int32',
      minimum: 0,
      maximum: 100,
      description:
        'The same in per cent of what was synced and stands at the edge when the window begins, rounded up. Absent: 100.',
    },
    windowSeconds: {
      ...positive,
      description: 'Length of a window in seconds; it begins with a deletion. Default 3600.',
    },
  },
};

const healthCheck: JsonObject = {
  type: 'object',
  description: 'How the edge is looked at; the conditions Reachable and Ready go by it.',
  properties: {
    intervalSeconds: {
      ...positive,
      description: 'Seconds from look to look; default 30. After a failed one it is looked at every second.',
    },
    timeoutSeconds: {
      ...positive,
      description:
        'Seconds that one look may take, at most intervalSeconds. Default 10, or intervalSeconds if that is less.',
    },
    failureThreshold: {
      ...positive,
      description:
        'Failed looks in a row that make Reachable false; default 3. A refusal makes Ready false at once.',
    },
    successThreshold: {
      ...positive,
      description: 'Answered looks in a row that make Reachable true again; default 1.',
    },
  },
};

const spec: JsonObject = {
  type: 'object',
  description: 'Where the edge is, what it is like, and who may use it.',
  properties: {
    apiEndpoint: {
      ...stringSchema,
      description: 'URL of the edge API server. Absent: no federator syncs the cell (NoEndpoint).',
    },
    secretRef: {
      type: 'object',
      description:
        'Credentials for the edge, in root:cells: token, or tls.crt and tls.key; caBundle; or one kubeconfig. Absent: it is asked without any.',
      required: ['namespace', 'name'],
      properties: {
        namespace: { ...stringSchema, minLength: 1, description: 'Namespace of the Secret, in root:cells.' },
        name: {
          ...stringSchema,
          minLength: 1,
          description: 'Name of the Secret. It is read anew when it changes.',
        },
      },
    },
    proxyURL: {
      ...stringSchema,
      description:
        'http, https or socks5 proxy that all connections to the edge go through. Absent: none, or that of the kubeconfig in the Secret.',
    },
    provider: {
      ...stringSchema,
      description:
        'Who the machines belong to. Policies select cells by it and spread over it; where they spread over it, a cell without it is left out.',
    },
    region: {
      ...stringSchema,
      description:
        'Policies select cells by it and spread over it; where they spread over it, a cell without it is left out.',
    },
    zones: {
      ...stringSetSchema,
      description:
        'Failure domains that the cell lies in, for policies as region is. A cell in several is a zone of its own when work is spread.',
    },
    taints,
    pop: {
      ...stringSchema,
      description: 'Point of presence. Policies select cells by it and spread over it, as by region.',
    },
    dataCenter: {
      ...stringSchema,
      description: 'Policies select cells by it and spread over it, as by region.',
    },
    weight: {
      type: 'integer',
      format: 'int32',
      minimum: 0,
      description:
        'What the cell counts for where a policy divides replicas by weights and gives none: beside those of the other cells. Default 1; 0: it gets none, unless all have 0.',
    },
    cost: {
      type: 'number',
      minimum: 0,
      description:
        'In whichever unit all cells have it. The score Cost of a SchedulingProfile prefers less; absent: half its points.',
    },
    location: {
      ...locationSchema,
      description:
        "Where the cell stands on earth. The score Distance counts from a policy's `near` to here; absent: half its points.",
    },
    timeZone: {
      ...stringSchema,
      description: 'IANA name, like Europe/Berlin; by it time windows count. Absent: UTC.',
    },
    maintenanceWindows: {
      ...timeWindowsSchema,
      description: 'When the cell takes no new work; what is here stays. Absent: never.',
    },
    estimator,
    capacity: {
      ...quantityMapSchema,
      description:
        'What the cell can take of each resource, where its status tells neither allocatable nor capacity. Where none of them is told it counts as having room.',
    },
    projects: {
      ...stringSetSchema,
      description:
        'Paths of the workspaces that may use the cell; root:acme:* means all below root:acme, * everyone. Absent: everyone.',
    },
    allow,
    apis: {
      type: 'object',
      description: 'Which custom kinds may come here.',
      properties: {
        groups: {
          ...stringSetSchema,
          description:
            'API groups that projects may bring; *.example.com means all below example.com, * any. Absent: any that does not end in k8s.io.',
        },
      },
    },
    federator: {
      type: 'object',
      description:
        'Pins the cell to a federator by name, or to those that a selector names. Absent: any federator with room may hold it.',
      properties: {
        name: {
          ...stringSchema,
          minLength: 1,
          description: 'The one Federator that may hold the cell, alive or not. Not beside selector.',
        },
        selector: {
          ...labelSelectorSchema,
          description: 'Labels of the Federators that may hold the cell. Not beside name.',
        },
      },
    },
    deletionPolicy: {
      type: 'string',
      default: 'Orphan',
      enum: ['Orphan', 'Withdraw'],
      description:
        'What happens at the edge when the Cell is deleted: nothing, or everything that was synced is withdrawn first.',
    },
    deletionBudget,
    healthCheck,
    suspend: {
      type: 'boolean',
      description: 'Nothing is synced while true, and nothing new is placed here; status still comes back.',
    },
    watchNodes: {
      type: 'boolean',
      description:
        "Whether the cell's federator watches the edge's nodes and pods, and tells status.allocatable, allocated and nodeRoom; absent: where it may, and nobody else tells them.",
    },
  },
};

export const cellSchema: JsonObject = kindSchema(
  'One downstream edge control plane in a point of presence.',
  {
    spec,
    status: cellStatusSchema,
  },
);
