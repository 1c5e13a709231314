import type { Schema } from '#apimachinery/schema.ts';

const string: Schema = { type: 'string' };
const number: Schema = { type: 'integer' };

function object(properties: { readonly [name: string]: Schema }, more: Partial<Schema> = {}): Schema {
  return { type: 'object', properties: new Map(Object.entries(properties)), ...more };
}

const port = object({
  port: number,
  protocol: { type: 'string', default: 'TCP' },
  name: string,
  note: string,
});

/** A kind with one field of every form of ownership (KUBERNETES.md P6), for tests. */
export const widgetSchema: Schema = object({
  apiVersion: string,
  kind: string,
  metadata: { type: 'object' },
  spec: object({
    replicas: number,
    title: string,
    flag: { type: 'boolean' },
    amount: { intOrString: true },
    optional: { type: 'string', nullable: true },
    labels: { type: 'object', additionalProperties: string },
    nested: object({ inner: object({ leaf: string, other: string }) }),
    set: { type: 'array', items: string, listType: 'set' },
    atomicList: { type: 'array', items: string },
    atomicMap: { type: 'object', additionalProperties: string, mapType: 'atomic' },
    ports: { type: 'array', items: port, listType: 'map', listMapKeys: ['port', 'protocol'] },
    items: {
      type: 'array',
      items: object({ name: string, value: string, set: { type: 'array', items: string, listType: 'set' } }),
      listType: 'map',
      listMapKeys: ['name'],
    },
    open: { type: 'object', preserveUnknownFields: true },
  }),
  status: object({ phase: string, observed: number }),
});
