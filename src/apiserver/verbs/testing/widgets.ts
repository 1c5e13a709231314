import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', validation: { minimum: 0 } };

function schemaOf(defaults: boolean): Schema {
  return {
    type: 'object',
    properties: new Map<string, Schema>([
      ['apiVersion', text],
      ['kind', text],
      ['metadata', { type: 'object' }],
      [
        'spec',
        {
          type: 'object',
          properties: new Map<string, Schema>([
            ['size', defaults ? { ...count, default: 1 } : count],
            ['node', text],
            ['free', { type: 'object', preserveUnknownFields: true }],
          ]),
        },
      ],
      [
        'status',
        {
          type: 'object',
          properties: new Map<string, Schema>([
            ['ready', count],
            ['selector', text],
          ]),
        },
      ],
    ]),
  };
}

export interface WidgetOptions {
  readonly resource?: string;
  readonly status?: boolean;
  readonly defaults?: boolean;
}

/** A custom resource `widgets.example.com`, versions v1 and v1beta1 that differ in nothing but their name. */
export function widgets(options: WidgetOptions = {}): ResourceDefinition {
  const { resource = 'widgets', status = true, defaults = true } = options;
  const kind = resource === 'widgets' ? 'Widget' : 'Gadget';
  const version = (name: string): ResourceVersion => ({
    version: name,
    served: true,
    schema: schemaOf(defaults),
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: status
      ? [
          {
            name: 'status',
            kind,
            group: 'example.com',
            version: name,
            verbs: ['get', 'patch', 'update'],
          },
          {
            name: 'scale',
            kind: 'Scale',
            group: 'autoscaling',
            version: 'v1',
            verbs: ['get', 'patch', 'update'],
            scale: {
              specReplicasPath: 'spec.size',
              statusReplicasPath: 'status.ready',
              labelSelectorPath: 'status.selector',
            },
          },
        ]
      : [],
    columns: [],
    selectableFields: new Map([['spec.node', 'spec.node']]),
    deprecationWarning: name === 'v1beta1' ? `example.com/v1beta1 ${kind} is deprecated` : undefined,
  });
  return {
    group: 'example.com',
    resource,
    kind,
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    storedAs: { group: 'example.com', resource },
    storageVersion: 'v1',
    versions: [version('v1'), version('v1beta1')],
    strategy: {},
    origin: 'custom',
  };
}
