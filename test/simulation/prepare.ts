import type { ProjectPlane } from '../chaos/compare.ts';
import { type LoadObject, loadObjects } from '../chaos/load.ts';
import { EdgeMeddler } from '../chaos/meddling.ts';
import { loadPolicy, type PolicyTraits } from '../chaos/policies.ts';
import { until } from '../harness/until.ts';
import type { Agreement } from './agreement.ts';
import {
  finally2to1to1,
  looseNamespaces,
  pinnedNamespace,
  pinnedPrefix,
  projectNames,
  tendedNamespace,
} from './cast.ts';
import type { RunPlan } from './run-plan.ts';
import type { Scene } from './scene.ts';

const objectsPerKind = 2;
/** Where strangers make objects before a copy comes there, in wide runs. */
const strangersAt = ['<kind>-0-0', '<kind>-0-1'] as const;

/** Policies, what is pinned, and what is the edges' own, while all is well. */
export async function prepare(scene: Scene, agreement: Agreement): Promise<void> {
  const { world, plan, ledger, witnesses, projects, meddlers, pinned, mayGo, violations, births, neighbour } =
    scene;
  for (const name of projectNames) {
    const path = `root:${name}`;
    const client = world.peopleAt(world.federation, path);
    const policies = [...looseNamespaces, pinnedNamespace].map((namespace) =>
      loadPolicy(client, ledger, name, namespace, traitsOf(plan, namespace)),
    );
    for (const policy of policies) await policy.set(finally2to1to1);
    const still = loadObjects(client, ledger, name, [pinnedNamespace], 0, 1, pinnedPrefix).filter(
      ({ kind }) => !kind.scalable,
    );
    for (const object of still) await pin(client, object);
    const loose = loadObjects(client, ledger, name, looseNamespaces, 0, objectsPerKind);
    projects.push({ path, client, objects: [...loose, ...still], policies });
    for (const object of still) pinned.add(object);
  }
  await births?.prepare();
  await neighbour?.prepare();
  for (const [cell, edge] of world.edges) {
    const meddler = new EdgeMeddler(
      world.peopleAt(edge),
      (name) => !name.startsWith(pinnedPrefix),
      plan.more === undefined ? [] : strangersAt,
    );
    await meddler.prepare();
    meddlers.set(cell, meddler);
  }
  await until('the beginning is in order', async () => (await agreement.differences()).length === 0, {
    timeoutMs: 120_000,
    everyMs: 500,
  });
  for (const [cell, edge] of world.edges) {
    await edge.observe({
      event: ({ type, key }) => {
        const name = key.slice(key.lastIndexOf('/') + 1);
        if (type === 'delete' && name.startsWith(pinnedPrefix) && !mayGo.has(cell)) {
          violations.push(`${cell}: ${key} was deleted, and nobody asked for that`);
        }
      },
    });
  }
  await witnesses.start();
}

/** What is pinned stays in cells that are drained; some of the rest is rolled out in waves, and fails over. */
function traitsOf({ more, traits }: RunPlan, namespace: string): PolicyTraits {
  if (more === undefined) return {};
  if (namespace === pinnedNamespace) return { clusterTolerations: [{ operator: 'Exists' }] };
  return namespace === tendedNamespace ? traits : {};
}

async function pin(client: ProjectPlane['client'], object: LoadObject): Promise<void> {
  const { kind, namespace, ref, tracked } = object;
  const content = { stamp: 1, label: 'l0', replicas: 0 };
  await tracked.write(content, () =>
    client.create(ref, {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      metadata: { name: ref.name, namespace, labels: { chaos: content.label } },
      ...kind.body(content),
    }),
  );
}
