import type { JsonObject } from '#apimachinery/json.ts';
import { Harness } from './harness.ts';
import { widgets } from './widgets.ts';

export const maps = '/api/v1/namespaces/default/configmaps';

export const widgetsPath = '/apis/example.com/v1/namespaces/default/widgets';

export function configMap(name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' }, ...more };
}

export function widget(name: string, spec: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec, ...more };
}

export function openHarness(): Promise<Harness> {
  return Harness.open({
    definitions: [widgets(), widgets({ resource: 'gadgets', status: false, defaults: false })],
    workspaces: [
      { id: 'cell' as never, inert: true, type: 'cell' },
      { id: 'edge' as never, type: 'edge' },
    ],
  });
}

export const deployments = '/apis/apps/v1/namespaces/default/deployments';

/** `d`, with one container and one replica. */
export function deployment(spec: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'd' } },
      template: {
        metadata: { labels: { app: 'd' } },
        spec: { containers: [{ name: 'a', image: 'a:1' }] },
      },
      ...spec,
    },
  };
}
