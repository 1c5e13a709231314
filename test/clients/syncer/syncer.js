// A syncer in a hundred and some lines, on @kubernetes/client-node alone: it takes a federator's place for one cell by what
// docs/copies.md and docs/federators.md say, and by nothing else. No caches, no concurrency: it shows the contract.
//
//   node syncer.js <federator> <cell> <kubeconfig of the federation> <kubeconfig of the edge>
import { setTimeout as pause } from 'node:timers/promises';
import * as k8s from '@kubernetes/client-node';

const [name, cell, federationFile, edgeFile] = process.argv.slice(2);
const prefix = 'federation.cellplane.io';
const finalizer = `${prefix}/edge`;
const fieldManager = 'small-syncer';

/** `workspace`: path of a workspace; undefined for a server without workspaces. */
function clientsFor(file, workspace) {
  const config = new k8s.KubeConfig();
  config.loadFromFile(file);
  if (workspace !== undefined) {
    const { origin } = new URL(config.clusters[0].server);
    config.clusters = [{ ...config.clusters[0], server: `${origin}/clusters/${workspace}` }];
  }
  return {
    objects: k8s.KubernetesObjectApi.makeApiClient(config),
    custom: config.makeApiClient(k8s.CustomObjectsApi),
    leases: config.makeApiClient(k8s.CoordinationV1Api),
    watch: new k8s.Watch(config),
  };
}

const cells = clientsFor(federationFile, 'root:cells');
const workspace = clientsFor(federationFile, `root:cells:${cell}`);
const edge = clientsFor(edgeFile);
const group = { group: prefix, version: 'v1alpha1' };

async function unless(code, call) {
  try {
    return await call();
  } catch (error) {
    if (error.code === code) return undefined;
    throw error;
  }
}

const mergePatch = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch);

/** 1. A Federator object, and a Lease of its name: cells are assigned to those that live. */
async function live() {
  const body = { apiVersion: `${prefix}/v1alpha1`, kind: 'Federator', metadata: { name } };
  await unless(409, () => cells.custom.createClusterCustomObject({ ...group, plural: 'federators', body }));
  const namespace = 'cellplane-federators';
  for (;;) {
    const spec = { holderIdentity: name, leaseDurationSeconds: 10, renewTime: new k8s.V1MicroTime() };
    const present = await unless(404, () => cells.leases.readNamespacedLease({ name, namespace }));
    if (present === undefined) {
      const lease = { metadata: { name }, spec };
      await unless(409, () => cells.leases.createNamespacedLease({ namespace, body: lease }));
    } else {
      await unless(409, () =>
        cells.leases.replaceNamespacedLease({
          name,
          namespace,
          body: { ...present, spec: { ...present.spec, ...spec } },
        }),
      );
    }
    await pause(2_000);
  }
}

async function assigned() {
  for (;;) {
    const mine = await unless(403, () =>
      cells.custom.getClusterCustomObject({ ...group, plural: 'cells', name: cell }),
    );
    if (mine?.status?.assignment?.federator === name) return;
    await pause(200);
  }
}

/** 5. Nothing is placed into a cell that is not Ready. */
async function tellReady() {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const conditions = ['Reachable', 'Ready', 'Synced'].map((type) => ({
    type,
    status: 'True',
    reason: 'SmallSyncer',
    message: '',
    lastTransitionTime: now,
  }));
  const body = { status: { conditions } };
  await cells.custom.patchClusterCustomObjectStatus(
    { ...group, plural: 'cells', name: cell, body },
    mergePatch,
  );
}

const keyOf = ({ apiVersion, kind, metadata: { namespace, name: object } }) => ({
  apiVersion,
  kind,
  metadata: { name: object, ...(namespace === undefined ? {} : { namespace }) },
});

function refOf({ target, metadata }) {
  const apiVersion = target.group === '' ? target.version : `${target.group}/${target.version}`;
  return keyOf({ apiVersion, kind: target.kind, metadata: { ...metadata, name: target.name } });
}

/** Objects of another origin are never touched. */
const isOf = (a, b) =>
  ['origin-cluster', 'origin-control-plane'].every(
    (label) => a.metadata.labels?.[`${prefix}/${label}`] === b.metadata.labels?.[`${prefix}/${label}`],
  ) &&
  ['origin-group', 'origin-resource', 'origin-namespace', 'origin-name'].every(
    (key) => a.metadata.annotations?.[`${prefix}/${key}`] === b.metadata.annotations?.[`${prefix}/${key}`],
  );

/** 3. and 4. Brings one copy to the edge, and says so on it. */
async function sync(entry) {
  const ref = refOf(entry);
  const copy = await unless(404, () => workspace.objects.read(ref));
  if (copy === undefined) return;
  const there = await unless(404, () => edge.objects.read(ref));
  if (there !== undefined && !isOf(there, copy)) return;
  const { annotations = {}, finalizers = [] } = copy.metadata;
  if (copy.metadata.deletionTimestamp !== undefined) {
    if (there !== undefined && annotations[`${prefix}/deletion-policy`] !== 'Orphan') {
      await unless(404, () => edge.objects.delete(ref));
      if ((await unless(404, () => edge.objects.read(ref))) !== undefined) return again(entry);
    }
    const left = {
      ...ref,
      metadata: { ...ref.metadata, finalizers: finalizers.filter((one) => one !== finalizer) },
    };
    await unless(404, () =>
      workspace.objects.patch(
        left,
        undefined,
        undefined,
        fieldManager,
        undefined,
        k8s.PatchStrategy.MergePatch,
      ),
    );
    return;
  }
  if (annotations[`${prefix}/suspend`] === 'true') return;
  const hash = annotations[`${prefix}/content-hash`];
  if (there?.metadata.annotations?.[`${prefix}/content-hash`] !== hash) {
    const { status: _status, metadata, ...content } = copy;
    const kept = { ...ref.metadata, labels: metadata.labels, annotations: metadata.annotations };
    const form = { ...content, metadata: kept };
    await edge.objects.patch(
      form,
      undefined,
      undefined,
      fieldManager,
      true,
      k8s.PatchStrategy.ServerSideApply,
    );
  }
  if (annotations[`${prefix}/synced-hash`] === hash) return;
  const said = { ...ref, metadata: { ...ref.metadata, annotations: { [`${prefix}/synced-hash`]: hash } } };
  await workspace.objects.patch(
    said,
    undefined,
    undefined,
    fieldManager,
    undefined,
    k8s.PatchStrategy.MergePatch,
  );
}

/** Status comes back: of Deployments, to show how. `observedGeneration` counts the copy's generations. */
async function statusBack(deployment) {
  const { status, metadata } = deployment;
  const ref = keyOf({ apiVersion: 'apps/v1', kind: 'Deployment', metadata });
  const copy = await unless(404, () => workspace.objects.read(ref));
  if (copy === undefined || status === undefined || Object.keys(status).length === 0) return;
  const observed = (status.observedGeneration ?? 0) >= metadata.generation;
  const observedGeneration = observed ? copy.metadata.generation : copy.metadata.generation - 1;
  const body = { status: { ...status, observedGeneration } };
  const { namespace } = metadata;
  await workspace.custom.patchNamespacedCustomObjectStatus(
    { group: 'apps', version: 'v1', namespace, plural: 'deployments', name: metadata.name, body },
    mergePatch,
  );
}

const queue = new Map();
const again = (entry) =>
  setTimeout(() => queue.set(`${entry.metadata.namespace}/${entry.metadata.name}`, entry), 100);

/** Lists, then watches from there, forever. */
async function follow({ watch, custom }, request, path, query, onObject) {
  for (;;) {
    try {
      const list = await custom.listClusterCustomObject(request);
      for (const item of list.items) onObject(item);
      await new Promise((resolve) => {
        watch
          .watch(
            path,
            { ...query, resourceVersion: list.metadata.resourceVersion },
            (type, object) => {
              if (type !== 'BOOKMARK' && type !== 'ERROR') onObject(object);
            },
            resolve,
          )
          .catch(resolve);
      });
    } catch (error) {
      console.error(String(error));
    }
    await pause(500);
  }
}

live().catch((error) => {
  console.error(error);
  process.exit(1);
});
await assigned();
await tellReady();
console.log('assigned');
// 2. One stream for all kinds.
const copies = { ...group, plural: 'copies' };
void follow(workspace, copies, `/apis/${prefix}/v1alpha1/copies`, {}, (entry) =>
  queue.set(`${entry.metadata.namespace}/${entry.metadata.name}`, entry),
);
const deployments = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  labelSelector: `${prefix}/origin-cluster`,
};
const query = { labelSelector: deployments.labelSelector };
void follow(edge, deployments, '/apis/apps/v1/deployments', query, (object) =>
  queue.set(`status/${object.metadata.namespace}/${object.metadata.name}`, object),
);
for (;;) {
  for (const key of [...queue.keys()]) {
    // The newest of it, which may have come while others were worked on.
    const object = queue.get(key);
    queue.delete(key);
    try {
      await (key.startsWith('status/') ? statusBack(object) : sync(object));
    } catch (error) {
      // Namespaces and CRDs come first by coming again: what fails is tried anew.
      console.error(key, error.code ?? '', String(error.message).slice(0, 300));
      setTimeout(() => queue.has(key) || queue.set(key, object), 300);
    }
  }
  await pause(20);
}
