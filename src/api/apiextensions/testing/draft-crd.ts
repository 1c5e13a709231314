import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { customResourceDefinitionStrategy as strategy } from '../strategy.ts';

const objectSchema: JsonObject = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        colour: { type: 'string', default: 'red' },
        replicas: { type: 'integer' },
        selector: { type: 'string' },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' } } },
  },
};

export function crd(change: (crd: KubeObject) => void = () => {}): KubeObject {
  const object: KubeObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: cloneJson(objectSchema) } },
      ],
    },
  };
  change(object);
  strategy.defaults?.(object, 'v1');
  return object;
}

export function created(change?: (crd: KubeObject) => void): KubeObject {
  const object = crd(change);
  strategy.prepareForCreate?.(object);
  return object;
}

type Draft = { spec: JsonObject & { names: JsonObject; versions: (JsonObject & { schema: JsonObject })[] } };

export const specOf = (object: KubeObject) => (object as unknown as Draft).spec;

export const schemaOf = (object: KubeObject) =>
  specOf(object).versions[0]?.schema['openAPIV3Schema'] as JsonObject;

export const field = (object: KubeObject, props: JsonObject) => {
  (schemaOf(object)['properties'] as JsonObject)['f'] = props;
};

export const errorsOf = (object: KubeObject) =>
  (strategy.validate?.(object) ?? []).map((error) => `${error.field}: ${error.message}`);
