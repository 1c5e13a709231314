import assert from 'node:assert/strict';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CellInfo } from '../../algorithm/cell.ts';
import { cell } from '../../algorithm/testing/cells.ts';
import { deployment } from '../../testing/objects.ts';
import { createNameMapper } from '../names.ts';
import { type CellView, type RenderInput, type Rendering, renderCopy } from '../render.ts';

export const mapper = createNameMapper({ controlPlaneId: 'cp', clusterId: 'project1', prefix: 'shop' });
export const ns = (name: string): string => mapper.namespace(name);
export const projectLabels = {
  [copyLabels.originCluster]: 'project1',
  [copyLabels.originControlPlane]: 'cp',
};

export function view(changes: Partial<CellView> = {}, info: Partial<CellInfo> = {}): CellView {
  return {
    info: cell('fra', info),
    allowsPodSecurity: false,
    allowsClusterRole: () => false,
    projectNamespaces: () => [],
    ...changes,
  };
}

export interface RenderOptions extends Partial<Omit<RenderInput, 'object' | 'kind'>> {
  readonly resource: string;
  readonly view?: CellView;
}

export function render(
  object: KubeObject,
  { resource, view: cellView = view(), ...more }: RenderOptions,
): Rendering {
  const slash = object.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  const before = cloneJson(object);
  const rendering = renderCopy(
    {
      object,
      version: object.apiVersion.slice(slash + 1),
      origin: {
        controlPlane: 'cp',
        cluster: 'project1',
        path: 'root:shop',
        group,
        resource,
        namespace: object.metadata.namespace ?? '',
        name: object.metadata.name ?? '',
        uid: object.metadata.uid ?? '',
      },
      kind: { group, resource, scalable: false },
      custom: false,
      targets: [{ name: 'fra', replicas: undefined }],
      divided: false,
      overrides: [],
      mapper,
      owns: () => false,
      contract: { conflictResolution: 'Abort', orphan: false },
      ...more,
    },
    cellView,
  );
  assert.deepEqual(object, before, 'rendering leaves the project object as it is');
  return rendering;
}

export function rendered(object: KubeObject, options: RenderOptions): KubeObject {
  const { copies } = render(object, options);
  assert.equal(copies.length, 1);
  return copies[0]?.object as KubeObject;
}

export const pod = (spec: JsonObject): JsonObject => ({ ...deployment('web', 1, spec, 'web') });
export const term = (rule: JsonObject) => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [rule] } },
});
export const affinityAt =
  '/spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0';
export const object = (
  apiVersion: string,
  kind: string,
  rest: JsonObject,
  namespace: string | null = 'web',
): JsonObject => ({
  apiVersion,
  kind,
  metadata: { name: 'x', ...(namespace === null ? {} : { namespace }) },
  ...rest,
});
export const gateway = 'gateway.networking.k8s.io/v1';
export const rbac = 'rbac.authorization.k8s.io/v1';
export const admission = 'admissionregistration.k8s.io/v1';
