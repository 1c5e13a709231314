import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import { isOfFormerCell, isOfOrigin, originKeyOf } from './origin.ts';

const metadata = (annotations: { [name: string]: string } = {}, cluster = 'project1'): ObjectMeta => ({
  name: 'web',
  labels: { [copyLabels.originCluster]: cluster, [copyLabels.originControlPlane]: 'upstream' },
  annotations: {
    [copyAnnotations.originGroup]: 'apps',
    [copyAnnotations.originResource]: 'deployments',
    [copyAnnotations.originNamespace]: 'shop',
    [copyAnnotations.originName]: 'web',
    ...annotations,
  },
});
const owning = (...names: string[]) => ({
  'f:metadata': { 'f:annotations': Object.fromEntries(names.map((name) => [`f:${name}`, {}])) },
});
const { originGroup, originResource, originNamespace, originName } = copyAnnotations;
const all = owning(originGroup, originResource, originNamespace, originName);

test('an annotation that somebody at the edge wrote over does not make a copy another’s', () => {
  const edited = metadata({ [originName]: 'other' });
  assert.notEqual(originKeyOf(edited), originKeyOf(metadata()));
  assert.equal(isOfOrigin(edited, metadata(), owning(originGroup, originResource, originNamespace)), true);
});

test('what we applied ourselves is believed: another origin stays another’s', () => {
  assert.equal(isOfOrigin(metadata(), metadata(), undefined), true);
  assert.equal(isOfOrigin(metadata({ [originName]: 'other' }), metadata(), all), false);
  assert.equal(isOfOrigin(metadata({}, 'project2'), metadata(), owning(originGroup)), false);
  assert.equal(
    isOfOrigin(metadata({ [originName]: 'other' }), metadata(), owning()),
    false,
    'nothing of ours is left',
  );
  assert.equal(isOfOrigin(metadata({ [originName]: 'other' }), metadata(), undefined), false);
});

test('the CRDs that a former Cell left at the edge are the next one’s; a project’s objects never are', () => {
  const crd = (path: string, cluster: string) =>
    metadata({ [copyAnnotations.originPath]: path, [originName]: 'widgets.example.com' }, cluster);
  const mine = crd('root:cells:a', 'workspace2');
  assert.equal(isOfFormerCell(crd('root:cells:a', 'workspace1'), mine), true);
  assert.equal(isOfFormerCell(crd('root:cells:former-name', 'workspace1'), mine), true);
  assert.equal(isOfFormerCell(crd('root:acme:shop', 'project1'), mine), false);
  assert.equal(isOfFormerCell(mine, crd('root:acme:shop', 'project1')), false);
  const { labels: _, ...disowned } = crd('root:cells:a', 'workspace1');
  assert.equal(isOfFormerCell(disowned, mine), false);
});

test('what has lost its labels is nobody’s: so an object is kept from us on purpose', () => {
  const { annotations = {} } = metadata();
  assert.equal(isOfOrigin({ name: 'web', annotations }, metadata(), all), false);
});
