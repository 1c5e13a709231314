import type { Column } from '#apimachinery/resource-definition.ts';

/** What every kind without columns of its own shows. */
export const nameAndAge: readonly Column[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name must be unique within a namespace.',
    priority: 0,
    value: (object) => object.metadata.name ?? '',
  },
  {
    name: 'Age',
    type: 'date',
    description:
      'CreationTimestamp is a timestamp representing the server time when this object was created.',
    priority: 0,
    value: (object) => object.metadata.creationTimestamp ?? null,
  },
];

export function columnsOf(_group: string, _version: string, _resource: string): readonly Column[] {
  return nameAndAge;
}
