// Pull mode: the federator is a process inside the POP that listens nowhere and dials out; whoever watches the federation API
// server's connections sees none to the POP.
// docs/federation-contract.md: FC5
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#apimachinery/object.ts';
import { federatorGroup, federatorUserPrefix } from '#apiserver/authz/components.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { configMaps, deployments, edgeRef, find } from '../harness/edge-objects.ts';
import { type CellplaneProcess, startCellplane, temporaryFolder } from '../harness/processes.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const cell = 'cell-a';

describe('pull mode', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let federator: CellplaneProcess | undefined;
  /** Ports that this process has dialled, the federation API server in it among the rest. */
  const dialled: number[] = [];
  const { connect } = Socket.prototype;

  before(async () => {
    // Whatever makes a connection ends here (tls.connect is told on no channel of node:diagnostics_channel).
    Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
      dialled.push(portOf(args));
      return Reflect.apply(connect, this, args) as Socket;
    };
    folder = await temporaryFolder();
    constellation = await Constellation.start({ cells: [], scheduler: false, federators: [] });
    await constellation.addEdge(cell);
    await constellation.addCell(cell, { federator: { name: 'pop-a' } });
    const user = { name: `${federatorUserPrefix}pop-a`, groups: [federatorGroup] };
    const connection = connectionAs(constellation.pki, constellation.server.url, user);
    const kubeconfig = path.join(folder.path, 'kubeconfig');
    await writeFile(kubeconfig, renderKubeconfig([{ name: 'root', connection }], 'root'));
    federator = await startCellplane(['federator', '--name', 'pop-a', '--kubeconfig', kubeconfig]);
  });
  after(async () => {
    Socket.prototype.connect = connect;
    await disposeAll(() => federator?.stop(), constellation, folder);
  });

  test('everything flows both ways, and nobody dials into the POP', {
    skip: process.platform !== 'linux',
  }, async () => {
    const copies = new CopyWriter(constellation.admin, cell);
    await copies.namespace();
    await copies.deployment('web', 1);
    const { client, gate, server } = constellation.edge(cell);
    const atEdge = edgeRef(deployments, 'web', 'ns');
    await until('the copy is at the edge', () => find(client, atEdge));
    await client.patch(
      atEdge,
      { type: 'merge', body: { status: { observedGeneration: 1, replicas: 1, readyReplicas: 1 } } },
      { subresource: 'status' },
    );
    const ref = copies.refOf({ apiVersion: 'apps/v1', resource: 'deployments', name: 'web' });
    await until('the status comes back', async () => {
      const status = (await constellation.admin.get(ref))['status'] as { readyReplicas?: number } | undefined;
      return status?.readyReplicas === 1;
    });
    await copies.delete({ apiVersion: 'apps/v1', kind: 'Deployment', resource: 'deployments', name: 'web' });
    await until('it is withdrawn', async () => (await find(client, atEdge)) === undefined);

    assert.deepEqual(await listeningPorts(federator?.pid ?? 0), [], 'the federator listens nowhere');
    // One that broke is made anew.
    await until('its connections to the edge stand', () => gate.connections > 0);
    // The gate's own way onward and this test's own clients go to the servers themselves.
    assert.ok(!dialled.includes(gate.port), 'the edge is dialled by the federator alone');
    assert.ok(dialled.includes(constellation.server.port), 'what is dialled is seen');
    const known = new Set([constellation.server.port, server.port, 0]);
    assert.deepEqual(
      dialled.filter((port) => !known.has(port)),
      [],
    );
  });

  test('deploy/pull is accepted by a cluster, and names flags that there are', async () => {
    const { client } = constellation.edge(cell);
    const documents = parseAllDocuments(await readFile('deploy/pull/manifest.yaml', 'utf8'));
    const objects = documents.map((document) => document.toJS() as KubeObject);
    const resources: { readonly [kind: string]: readonly [group: string, resource: string] } = {
      Namespace: ['', 'namespaces'],
      ServiceAccount: ['', 'serviceaccounts'],
      Deployment: ['apps', 'deployments'],
      NetworkPolicy: ['networking.k8s.io', 'networkpolicies'],
    };
    for (const object of objects) {
      const [group = '', resource = ''] = resources[object.kind ?? ''] ?? [];
      const { name = '', namespace } = object.metadata;
      await client.apply(
        { cluster: undefined, gvr: { group, version: 'v1', resource }, namespace, name },
        object,
        {
          fieldManager: 'test',
          force: true,
          fieldValidation: 'Strict',
        },
      );
    }
    const deployment = objects.find(({ kind }) => kind === 'Deployment');
    const { template } = (deployment?.['spec'] ?? {}) as {
      template: { spec: { containers: { args: string[] }[] } };
    };
    const help = await promisify(execFile)(process.execPath, ['bin/cellplane.js', 'federator', '--help']);
    for (const flag of template.spec.containers[0]?.args.slice(1) ?? []) {
      assert.ok(help.stdout.includes(flag.slice(0, flag.indexOf('='))), flag);
    }
    assert.ok(await find(client, edgeRef(configMaps, 'cellplane-claim', 'cellplane-system')));
  });
});

/** TCP ports on which a process listens, by the inodes of its sockets (proc(5)). */
async function listeningPorts(pid: number): Promise<number[]> {
  const inodes = new Set<string>();
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  const ports: number[] = [];
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === '0A' && inodes.has(inode)) ports.push(Number.parseInt(local.split(':')[1] ?? '', 16));
    }
  }
  return ports;
}

/** Of the arguments of `Socket.connect`; 0: none, as for a pipe. */
function portOf([first]: readonly unknown[]): number {
  // As net.connect hands them on.
  const options: unknown = Array.isArray(first) ? (first as unknown[])[0] : first;
  if (typeof options === 'number') return options;
  return Number((options as { port?: unknown } | undefined)?.port ?? 0);
}
