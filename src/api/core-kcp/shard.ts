import { ageColumn, defineResource } from '../define.ts';
import { kcpConditionsSchema, kindSchema, quantityMapSchema } from '../fragments.ts';
import { coreKcpGroup } from './logical-cluster.ts';

const uriSchema = { type: 'string', format: 'uri', minLength: 1 };

/** core.kcp.io/v1alpha1 Shard: one process publishes a single one, named and labelled `root`. */
export const shardDefinition = defineResource({
  group: coreKcpGroup,
  kind: 'Shard',
  plural: 'shards',
  categories: ['kcp'],
  namespaced: false,
  versions: [
    {
      name: 'v1alpha1',
      subresources: { status: true },
      columns: [
        { name: 'Region', type: 'string', jsonPath: ".metadata.labels['region']" },
        { name: 'URL', type: 'string', jsonPath: '.spec.baseURL' },
        { name: 'External URL', type: 'string', jsonPath: '.spec.externalURL' },
        ageColumn,
      ],
      schema: kindSchema('A server that holds logical clusters.', {
        spec: {
          type: 'object',
          description: 'Where it is reached. Written when the store is first set up.',
          required: ['baseURL'],
          properties: {
            baseURL: { ...uriSchema, description: 'URL of the server, before `/clusters/`.' },
            externalURL: { ...uriSchema, description: 'The same, for clients.' },
            virtualWorkspaceURL: {
              ...uriSchema,
              description: 'The same: there are no virtual workspaces.',
            },
          },
        },
        status: {
          type: 'object',
          description: 'Nothing here writes it.',
          properties: {
            capacity: { ...quantityMapSchema, description: 'Not set here, and nothing goes by it.' },
            conditions: { ...kcpConditionsSchema, description: 'Not set here.' },
          },
        },
      }),
    },
  ],
});
