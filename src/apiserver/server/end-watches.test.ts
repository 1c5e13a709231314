import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CrdListener } from '../crd/crd-catalog.ts';
import type { CrdRecord } from '../crd/crd-record.ts';
import { widgets } from '../verbs/testing/widgets.ts';
import type { WorkspaceChange, WorkspaceRecord } from '../workspace/workspace-index.ts';
import { endWatchesOfWhatGoes } from './end-watches.ts';

function ended() {
  const calls: string[] = [];
  let onCrd: CrdListener = () => {};
  let onWorkspace: (record: WorkspaceRecord, change: WorkspaceChange) => void = () => {};
  endWatchesOfWhatGoes(
    {
      endWatches: (id, { group, resource, version } = { group: '', resource: '' }) =>
        calls.push(
          `${id} ${resource === '' ? 'all' : `${resource}.${group} ${version ?? 'in every version'}`}`,
        ),
    },
    {
      onCrd: (listener) => {
        onCrd = listener;
        return () => {};
      },
    },
    {
      onChange: (listener) => {
        onWorkspace = listener;
        return () => {};
      },
    },
  );
  const crd = (now: ResourceDefinition | undefined, before: ResourceDefinition | undefined) =>
    onCrd('a', 'widgets.example.com', recordOf(now), recordOf(before));
  const workspace = (change: WorkspaceChange) => onWorkspace({ id: 'a' } as WorkspaceRecord, change);
  return { calls, crd, workspace };
}

function recordOf(definition: ResourceDefinition | undefined): CrdRecord | undefined {
  return definition === undefined ? undefined : ({ definition } as CrdRecord);
}

function serving(...names: string[]): ResourceDefinition {
  const all = widgets();
  const versions = all.versions.map((one) => ({ ...one, served: names.includes(one.version) }));
  return { ...all, versions };
}

test('watches end with their workspace', () => {
  const { calls, workspace } = ended();
  workspace('added');
  workspace('changed');
  assert.deepEqual(calls, []);
  workspace('removed');
  assert.deepEqual(calls, ['a all']);
});

test('watches end with their CRD, and with a version that is not served any more', () => {
  const { calls, crd } = ended();
  crd(widgets(), undefined);
  crd(widgets(), widgets());
  crd(serving('v1', 'v1beta1'), serving('v1'));
  assert.deepEqual(calls, []);
  crd(serving('v1'), serving('v1', 'v1beta1'));
  assert.deepEqual(calls.splice(0), ['a widgets.example.com v1beta1']);
  const { versions, ...rest } = widgets();
  crd({ ...rest, versions: versions.slice(1) }, widgets());
  assert.deepEqual(calls.splice(0), ['a widgets.example.com v1']);
  crd(undefined, widgets());
  assert.deepEqual(calls, ['a widgets.example.com in every version']);
});
