import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { federationGroup, federationVersion } from '../federation/group.ts';
import { kindSchema } from '../fragments.ts';
import type { OverrideRule } from '../policy/placement.ts';

export const templateRevisionsGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'templaterevisions',
} as const;

/**
 * federation.cellplane.io/v1alpha1 TemplateRevision: an object as it last went to all its cells, beside it, so that a rollout
 * can leave cells with it and go back to it. Written by the scheduler alone, for objects whose policy has a `rollout`; it
 * belongs to the object and goes with it.
 */
export interface TemplateRevision extends KubeObject {
  spec: {
    /** Hash of what follows, without the count of replicas. */
    revision: string;
    object: JsonObject;
    /** Rules of the override policies that concerned it, in their order. */
    overrideRules: OverrideRule[];
  };
}

const anything: JsonObject = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export const templateRevisionDefinition: ResourceDefinition = defineResource({
  group: federationGroup,
  kind: 'TemplateRevision',
  plural: templateRevisionsGvr.resource,
  categories: ['cellplane'],
  namespaced: true,
  versions: [
    {
      name: federationVersion,
      columns: [{ name: 'Revision', type: 'string', jsonPath: '.spec.revision' }, ageColumn],
      schema: kindSchema(
        'An object as it last went to all its cells. Written by the scheduler alone.',
        {
          spec: {
            type: 'object',
            description: 'What cells have that a rollout has not reached, and what it goes back to.',
            required: ['revision', 'object'],
            properties: {
              revision: {
                type: 'string',
                minLength: 1,
                description:
                  "Hash of object and overrideRules, without the count of replicas: `stable` or `target` of a binding's status.rollout.",
              },
              object: { ...anything, description: 'The object as it was.' },
              overrideRules: {
                type: 'array',
                'x-kubernetes-list-type': 'atomic',
                items: anything,
                description:
                  'Rules of the override policies that concerned it then, in the order in which they apply. Absent: none did.',
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
});
