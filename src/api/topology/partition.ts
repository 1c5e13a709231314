import { ageColumn, defineResource } from '../define.ts';
import { kindSchema, labelSelectorSchema } from '../fragments.ts';

export const topologyGroup = 'topology.kcp.io';

/** topology.kcp.io/v1alpha1 Partition: a selection of shards by label. */
export const partitionDefinition = defineResource({
  group: topologyGroup,
  kind: 'Partition',
  plural: 'partitions',
  categories: ['kcp'],
  namespaced: false,
  versions: [
    {
      name: 'v1alpha1',
      columns: [ageColumn],
      schema: kindSchema('A selection of shards by label.', {
        spec: {
          type: 'object',
          description: 'Which shards; nothing here goes by it.',
          properties: {
            selector: { ...labelSelectorSchema, description: 'Labels of the Shards.' },
          },
        },
      }),
    },
  ],
});
