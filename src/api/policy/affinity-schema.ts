import type { JsonObject } from '#apimachinery/json.ts';
import { labelSelectorSchema, stringListSchema, stringSchema } from '../fragments.ts';

/** How policies name objects and cells, in CRD form. */

export const resourceSelectorsSchema: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['apiVersion', 'kind'],
    properties: {
      apiVersion: {
        type: 'string',
        minLength: 1,
        description: 'Group and version of the objects, like apps/v1.',
      },
      kind: {
        type: 'string',
        minLength: 1,
        description:
          'Kind of the objects. * with apiVersion * is every kind: only in a ClusterPropagationPolicy above projects. Has no effect here: kinds that are never taken to cells, like Node or Event.',
      },
      namespace: {
        ...stringSchema,
        description:
          'Only objects of this namespace. Default in a namespaced policy: its own, and another is refused. Absent in others: any namespace, or none. Has no effect here: for kinds without namespace.',
      },
      name: {
        ...stringSchema,
        description: 'Only the object of this name. Absent: all that the labels select.',
      },
      labelSelector: {
        ...labelSelectorSchema,
        description:
          'Only objects with such labels. Absent: all of the kind. Has no effect here: beside a name, which alone selects.',
      },
    },
  },
};

/** What a ClusterAffinity is made of. */
export const affinityProperties: JsonObject = {
  labelSelector: {
    ...labelSelectorSchema,
    description: 'Cells with such labels. Absent: whatever their labels.',
  },
  fieldSelector: {
    type: 'object',
    description: 'Cells by provider, region, zone, pop or dataCenter. Absent: wherever they are.',
    properties: {
      matchExpressions: {
        type: 'array',
        description: 'All of these must hold.',
        items: {
          type: 'object',
          required: ['key', 'operator'],
          properties: {
            key: {
              ...stringSchema,
              description: 'provider, region, zone, pop or dataCenter; another is refused.',
            },
            operator: {
              ...stringSchema,
              description:
                'In: the cell tells the field, and all that it tells is among the values. NotIn: none of it is. Another is refused.',
            },
            values: { ...stringListSchema, description: 'What the field is compared with; at least one.' },
          },
        },
      },
    },
  },
  clusterNames: {
    ...stringListSchema,
    description: 'Cells of these names; * stands for any characters. Absent or empty: of any name.',
  },
  exclude: {
    ...stringListSchema,
    description: 'Cells of these names are left out, whatever else names them; * stands for any characters.',
  },
  celSelector: {
    type: 'object',
    description: 'Cells by expressions. Absent: nothing more is asked of them.',
    properties: {
      celExpressions: {
        type: 'array',
        maxItems: 10,
        description:
          'CEL over cell (name, labels, provider, region, zones, pop, dataCenter, apis, timeZone, location), each giving a bool. All must hold; one that fails, or takes more than 1000 steps, does not.',
        items: { type: 'string', minLength: 1, maxLength: 2048 },
      },
    },
  },
};

/** Which cells, all parts together. */
export const clusterAffinitySchema: JsonObject = { type: 'object', properties: affinityProperties };
