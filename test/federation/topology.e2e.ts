// The target topology: two control planes that fail separately, one scheduler and two federators that serve both, two POPs
// with a cell of each control plane. One part dies; everything that does not need it goes on.
// docs/federation-contract.md: FP1, FP2
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  federatorGroup,
  federatorUserPrefix,
  schedulerGroup,
  schedulerUserName,
} from '#apiserver/authz/components.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { Constellation } from '../harness/constellation.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { configMaps, deployments } from '../harness/edge-objects.ts';
import { openCell } from '../harness/neighbour.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { type CellplaneProcess, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const project = 'root:acme:shop';
/** Cell A of every POP is the first control plane's, cell B the second's; each POP has a federator of its own. */
const cellsOf = { first: ['pop-1-a', 'pop-2-a'], second: ['pop-1-b', 'pop-2-b'] } as const;
type Plane = keyof typeof cellsOf;
const planes = Object.keys(cellsOf) as Plane[];
const federatorOf = (cell: string) => (cell.startsWith('pop-1') ? 'federator-1' : 'federator-2');

describe('two control planes, two federators, two POPs', { timeout: 600_000 }, () => {
  const constellations = new Map<Plane, Constellation>();
  const processes = new Map<string, CellplaneProcess>();
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  before(async () => {
    folder = await temporaryFolder();
    for (const plane of planes) {
      const constellation = await Constellation.start({ cells: [], scheduler: false, federators: [] });
      constellations.set(plane, constellation);
      for (const cell of cellsOf[plane]) {
        await constellation.addEdge(cell);
        await constellation.addCell(cell, { pop: cell.slice(0, 5), federator: { name: federatorOf(cell) } });
      }
      await constellation.createProject(project);
      await placeInShop(
        constellation.admin,
        project,
        'all',
        [
          { apiVersion: 'v1', kind: 'ConfigMap' },
          { apiVersion: 'apps/v1', kind: 'Deployment' },
        ],
        [...cellsOf[plane]],
      );
    }
    await shareCell();
    await run('scheduler', ['scheduler', '--no-leader-elect'], {
      name: schedulerUserName,
      groups: [schedulerGroup],
    });
    for (const name of ['federator-1', 'federator-2']) await startFederator(name);
  });
  after(() =>
    disposeAll(
      () => Promise.all(Array.from(processes.values(), (process) => process.stop())),
      ...constellations.values(),
      folder,
    ),
  );

  /** The second control plane's cell in POP 2 is a cell of the first one's as well: `shared`. */
  const shareCell = async () => {
    const { admin } = planeOf('first');
    const connection = await openCell(planeOf('second'), 'pop-2-b');
    await planeOf('first').addCell(
      'shared',
      { pop: 'pop-2', federator: { name: 'federator-2' } },
      connection,
    );
    await placeInShop(
      admin,
      project,
      'across',
      ['across', 'across-again'].map((name) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name,
      })),
      ['pop-1-a', 'shared'],
    );
  };
  const planeOf = (plane: Plane) => constellations.get(plane) as Constellation;
  /** Starts a part with one kubeconfig for each control plane, as the user that it is known by there. */
  const run = async (
    part: string,
    args: readonly string[],
    user: { readonly name: string; readonly groups: readonly string[] },
  ) => {
    const files: string[] = [];
    for (const plane of planes) {
      const { pki, server } = planeOf(plane);
      const connection = connectionAs(pki, server.url, user);
      const file = path.join(folder.path, `${part}-${plane}`);
      await writeFile(file, renderKubeconfig([{ name: 'root', connection }], 'root'));
      files.push(file);
    }
    const [first = '', ...others] = files;
    const all = [...args, '--kubeconfig', first, '--also-kubeconfig', others.join(',')];
    processes.set(part, await startCellplane([...all, '--metrics-address', ':0']));
  };
  const startFederator = (name: string) =>
    run(name, ['federator', '--name', name, '--lease-seconds', '2'], {
      name: `${federatorUserPrefix}${name}`,
      groups: [federatorGroup],
    });
  const write = (plane: Plane, name: string) =>
    planeOf(plane).admin.create(
      { cluster: project, gvr: configMaps, namespace: 'shop' },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { plane } },
    );
  /** Whether a cell, of the same control plane if no other is named, has what was written into a project of `plane`. */
  const isAt = async (plane: Plane, cell: string, name: string, cellsPlane = plane) => {
    const { client } = planeOf(cellsPlane).edge(cell);
    const { items } = await client.list({ cluster: undefined, gvr: configMaps });
    return items.some(
      ({ metadata, data }) =>
        metadata.name === name && (data as { plane?: string } | undefined)?.plane === plane,
    );
  };
  /** A Deployment of that plane goes to its cells, runs there, and the project is told. */
  const runs = async (plane: Plane, name: string) => {
    const { admin } = planeOf(plane);
    const labels = { app: name };
    const containers = [{ name: 'main', image: 'registry.example/x:v1' }];
    await admin.create(
      { cluster: project, gvr: deployments, namespace: 'shop' },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers } },
        },
      },
    );
    for (const cell of cellsOf[plane]) {
      const { client } = planeOf(plane).edge(cell);
      const { metadata } = await until(`${name} is at ${cell}`, async () => {
        const { items } = await client.list({ cluster: undefined, gvr: deployments });
        return items.find((one) => one.metadata.name === name);
      });
      const ref = { cluster: undefined, gvr: deployments, namespace: metadata.namespace, name };
      const status = { observedGeneration: metadata.generation ?? 1, replicas: 2, readyReplicas: 2 };
      await client.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status' });
    }
    await until(`the project of the ${plane} sees its status`, async () => {
      const { status } = await admin.get({ cluster: project, gvr: deployments, namespace: 'shop', name });
      return (status as { readyReplicas?: number } | undefined)?.readyReplicas === 2 * cellsOf[plane].length;
    });
  };
  const arrives = (plane: Plane, name: string, cells: readonly string[] = cellsOf[plane]) =>
    Promise.all(cells.map((cell) => until(`${name} is at ${cell}`, () => isAt(plane, cell, name))));

  test('each control plane’s projects reach its cells, and no other’s', async () => {
    for (const plane of planes) await write(plane, 'hello');
    for (const plane of planes) await arrives(plane, 'hello');
    for (const plane of planes) {
      const other = plane === 'first' ? 'second' : 'first';
      for (const cell of cellsOf[plane]) assert.equal(await isAt(other, cell, 'hello', plane), false, cell);
    }
  });

  test('a project of the first control plane runs in a cell of the second one too, also when that is away', async () => {
    const isAcross = async (name: string) => {
      const { items } = await planeOf('second')
        .edge('pop-2-b')
        .client.list({ cluster: undefined, gvr: configMaps });
      return items.some(({ metadata, data }) => metadata.name === name && data !== undefined);
    };
    await write('first', 'across');
    await arrives('first', 'across', ['pop-1-a']);
    await until('it is in the shared cell', () => isAcross('across'));
    await planeOf('second').server.stop();
    await write('first', 'across-again');
    await arrives('first', 'across-again', ['pop-1-a']);
    await runs('first', 'alone');
    assert.equal(await isAcross('across'), true, 'the edge keeps what it has');
    await planeOf('second').server.start();
    await until('it is in the shared cell as well', () => isAcross('across-again'));
  });

  test('one control plane is away: the other’s projects still flow through the same processes', async () => {
    await planeOf('first').server.stop();
    await write('second', 'meanwhile');
    await arrives('second', 'meanwhile');
    await runs('second', 'alone');
    assert.ok(await isAt('first', 'pop-1-a', 'hello'), 'the edges keep what they have');
    await planeOf('first').server.start();
    await write('first', 'afterwards');
    await arrives('first', 'afterwards');
  });

  test('one federator is killed: its POP waits, the other POP’s cells of both control planes do not', async () => {
    await processes.get('federator-1')?.kill();
    for (const plane of planes) await write(plane, 'without-1');
    await arrives('first', 'without-1', ['pop-2-a']);
    await arrives('second', 'without-1', ['pop-2-b']);
    for (const plane of planes) assert.equal(await isAt(plane, cellsOf[plane][0], 'without-1'), false);
    await startFederator('federator-1');
    for (const plane of planes) await arrives(plane, 'without-1');
  });

  test('metrics tell the control planes apart', async () => {
    for (const part of ['scheduler', 'federator-2']) {
      const port = /"metricsPort":(\d+)/.exec(processes.get(part)?.output() ?? '')?.[1];
      // One that has just renewed a lease late looks at everything anew.
      await until(`the metrics of ${part} tell all`, async () => {
        const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
        for (const series of seriesOf(part)) assert.match(text, series);
        assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200);
        return true;
      });
    }
  });

  const seriesOf = (part: string) =>
    planes.flatMap((plane) => {
      const federation = `federation="${new URL(planeOf(plane).server.url).host}"`;
      const requests = `cellplane_federation_requests_total\\{${federation},outcome="ok"\\}`;
      const more =
        part === 'scheduler'
          ? ['objects', 'policies', 'returns'].map(
              (queue) => `cellplane_scheduler_queue_length\\{${federation},queue="${queue}"\\}`,
            )
          : [`cellplane_cell_objects\\{${federation},cell="${cellsOf[plane][1]}",state="synced"\\} [1-9]`];
      return [requests, ...more].map((series) => new RegExp(series));
    });
});
