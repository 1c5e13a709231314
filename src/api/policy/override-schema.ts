import type { JsonObject } from '#apimachinery/json.ts';
import { stringListSchema, stringMapSchema, stringSchema } from '../fragments.ts';
import { clusterAffinitySchema, resourceSelectorsSchema } from './affinity-schema.ts';

/** The spec of override policies: Karmada's field names in CRD form (PLACEMENT.md 1, Overrides). */

const operator = (description: string, ...values: string[]): JsonObject => ({
  type: 'string',
  enum: values,
  description,
});

const patchOperator = operator(
  'As in a JSON patch: add also puts an item into a list; replace and remove want something to be there.',
  'add',
  'remove',
  'replace',
);

const patchValue: JsonObject = {
  'x-kubernetes-preserve-unknown-fields': true,
  description: 'What is written. Required to add and replace. Has no effect here: with remove.',
};

const commandArgs: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['containerName', 'operator'],
    properties: {
      containerName: {
        type: 'string',
        minLength: 1,
        description:
          'The container, or init container. Nothing happens where the pod template has none of this name.',
      },
      operator: operator(
        'add: the words come after those that are there. remove: these words are taken away wherever they stand.',
        'add',
        'remove',
      ),
      value: { ...stringListSchema, description: 'The words, each an item. Absent: nothing changes.' },
    },
  },
};

const labelsAnnotations: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['operator'],
    properties: {
      operator: operator(
        'add: sets the keys, over what is there. replace: sets those that are there. remove: takes the keys away.',
        'add',
        'remove',
        'replace',
      ),
      value: {
        ...stringMapSchema,
        description:
          'Keys with what they are to say; remove looks at the keys alone. Refused: keys of federation.cellplane.io. Absent: nothing changes.',
      },
    },
  },
};

const fieldPatches: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['subPath', 'operator'],
    properties: {
      subPath: {
        ...stringSchema,
        description: 'JSON pointer (RFC 6901) within what the text says, like /server/port.',
      },
      operator: patchOperator,
      value: patchValue,
    },
  },
};

const imageOverriders: JsonObject = {
  type: 'array',
  description: 'Changes of a part of images; they come first.',
  items: {
    type: 'object',
    required: ['component', 'operator'],
    properties: {
      predicate: {
        type: 'object',
        required: ['path'],
        description: 'Which image. Absent: those of all containers and init containers of the pod template.',
        properties: {
          path: { ...stringSchema, description: 'JSON pointer (RFC 6901) to the image in the object.' },
        },
      },
      component: {
        type: 'string',
        enum: ['Registry', 'Repository', 'Tag'],
        description: 'The part: of registry/repository:tag. Tag is the digest too.',
      },
      operator: operator(
        'add: the value comes after what the part says. replace: it is what the part says. remove: the part goes.',
        'add',
        'remove',
        'replace',
      ),
      value: {
        ...stringSchema,
        description: 'What the part says. Required to add and replace. Has no effect here: with remove.',
      },
    },
  },
};

const overridersSchema: JsonObject = {
  type: 'object',
  properties: {
    imageOverrider: imageOverriders,
    commandOverrider: { ...commandArgs, description: "Changes of containers' commands; after the images." },
    argsOverrider: { ...commandArgs, description: "Changes of containers' arguments; after the commands." },
    labelsOverrider: {
      ...labelsAnnotations,
      description: "Changes of the copy's labels; after the arguments.",
    },
    annotationsOverrider: {
      ...labelsAnnotations,
      description: "Changes of the copy's annotations; after the labels.",
    },
    fieldOverrider: {
      type: 'array',
      description: 'Changes within JSON or YAML that a field holds as text; after the annotations.',
      items: {
        type: 'object',
        required: ['fieldPath'],
        properties: {
          fieldPath: {
            ...stringSchema,
            description:
              'JSON pointer (RFC 6901) to the text, at most 1048576 characters, that says an object. Refused: where a plaintext path is.',
          },
          json: { ...fieldPatches, description: 'Patches of a text in JSON. Refused beside yaml.' },
          yaml: {
            ...fieldPatches,
            description:
              'Patches of a text in YAML, which is written anew, without comments. Refused beside json.',
          },
        },
      },
    },
    plaintext: {
      type: 'array',
      description: 'Patches of any other field; they come last.',
      items: {
        type: 'object',
        required: ['path', 'operator'],
        properties: {
          path: {
            ...stringSchema,
            description:
              'JSON pointer (RFC 6901) to the field, like /spec/replicas. Refused: apiVersion, kind, status, and what identifies or owns the copy in its metadata.',
          },
          operator: patchOperator,
          value: patchValue,
        },
      },
    },
  },
};

export const overrideSpecSchema: JsonObject = {
  type: 'object',
  description: 'Which objects differ, in which cells, and how.',
  properties: {
    resourceSelectors: {
      ...resourceSelectorsSchema,
      description:
        'The objects: what one of these selects. Absent or empty: every object that the policy can be for.',
    },
    overrideRules: {
      type: 'array',
      description:
        'Applied in this order, each where it names the cell. What cannot be applied is told in the binding as OverrideFailed. Required, unless overriders or targetCluster is there.',
      items: {
        type: 'object',
        required: ['overriders'],
        properties: {
          targetCluster: { ...clusterAffinitySchema, description: 'The cells. Absent: all.' },
          overriders: {
            ...overridersSchema,
            description: 'What changes there; kind by kind in the order of these fields.',
          },
        },
      },
    },
    targetCluster: {
      ...clusterAffinitySchema,
      description: 'The older form of one rule: its cells. Absent: all. Refused beside overrideRules.',
    },
    overriders: {
      ...overridersSchema,
      description: 'The older form of one rule: what changes. Refused beside overrideRules.',
    },
  },
};
