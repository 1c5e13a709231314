// A cell synced by a small program on @kubernetes/client-node alone: the public API suffices. Its module comes from the npm
// registry, so it runs only when CELLPLANE_TEST_CLIENTS=1 is set.
// docs/federation-contract.md: FT1
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { federatorGroup, federatorUserPrefix } from '#apiserver/authz/components.ts';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { Constellation } from '../harness/constellation.ts';
import { configMaps, deployments } from '../harness/edge-objects.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const cell = 'foreign';
const syncer = 'small-syncer';
const project = 'root:acme:shop';
const folder = path.join(os.tmpdir(), `cellplane-clients-${os.userInfo().uid}`, 'syncer');

if (process.env['CELLPLANE_TEST_CLIENTS'] === '1') describeSyncer();
else console.log('a syncer of another make: set CELLPLANE_TEST_CLIENTS=1 to test with it (npm is used)');

function describeSyncer(): void {
  describe('a syncer of another make', { timeout: 600_000 }, () => {
    let constellation: Constellation;
    let child: ChildProcess;
    let output = '';
    let start: () => Promise<void>;

    before(async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await cp(path.resolve('test/clients/syncer'), folder, { recursive: true });
      await run('npm', ['install', '--silent', '--no-fund', '--no-audit', '--ignore-scripts'], folder);
      constellation = await Constellation.start({ cells: [cell], federators: [] });
      await constellation.patchCell(cell, { spec: { federator: { name: syncer } } });
      const write = async (file: string, connection: ServerConnection) => {
        const at = path.join(folder, file);
        await writeFile(at, renderKubeconfig([{ name: 'x', connection }], 'x'), { mode: 0o600 });
        return at;
      };
      const user = { name: `${federatorUserPrefix}${syncer}`, groups: [federatorGroup] };
      const federation = connectionAs(constellation.pki, constellation.server.url, user);
      const files = [
        await write('federation.kubeconfig', federation),
        await write('edge.kubeconfig', constellation.edge(cell).connection),
      ];
      start = async () => {
        child = spawn(process.execPath, ['syncer.js', syncer, cell, ...files], { cwd: folder });
        output = '';
        const keep = (chunk: Buffer) => {
          output = (output + chunk.toString('utf8')).slice(-100_000);
        };
        child.stdout?.on('data', keep);
        child.stderr?.on('data', keep);
        await until('the cell is its own', () => output.includes('assigned'));
      };
      await start();
      await constellation.createProject(project);
    });
    after(async () => {
      await end();
      await constellation?.[Symbol.asyncDispose]();
    });

    const end = async () => {
      if (child?.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    };

    const inProject = (gvr: typeof configMaps | typeof deployments, name: string) => ({
      cluster: project,
      gvr,
      namespace: 'shop',
      name,
    });
    const atEdge = async (gvr: typeof configMaps | typeof deployments, name: string) => {
      const { items } = await constellation.edge(cell).client.list({ cluster: undefined, gvr });
      return items.find(({ metadata }) => metadata.name === name);
    };
    const copyOf = async (gvr: typeof configMaps | typeof deployments, name: string) => {
      const { items } = await constellation.admin.list({ cluster: `root:cells:${cell}`, gvr });
      return items.find(({ metadata }) => metadata.name === name);
    };
    const told = async <T>(what: string, condition: () => Promise<T>) => {
      try {
        return await until(what, condition);
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${output.slice(-3_000)}`);
      }
    };

    test('objects of a project come, change, tell their status and go', async () => {
      const { admin } = constellation;
      const policy: KubeObject = {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'PropagationPolicy',
        metadata: { name: 'all', namespace: 'shop' },
        spec: {
          resourceSelectors: [
            { apiVersion: 'v1', kind: 'ConfigMap' },
            { apiVersion: 'apps/v1', kind: 'Deployment' },
          ],
          placement: { clusterAffinity: { clusterNames: [cell] } },
        },
      };
      const policies = { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'propagationpolicies' };
      await admin.create({ cluster: project, gvr: policies, namespace: 'shop' }, policy);
      const settings = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { a: '1' },
      };
      await admin.create({ cluster: project, gvr: configMaps, namespace: 'shop' }, settings);
      const labels = { app: 'web' };
      await admin.create(
        { cluster: project, gvr: deployments, namespace: 'shop' },
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'web' },
          spec: {
            replicas: 2,
            selector: { matchLabels: labels },
            template: {
              metadata: { labels },
              spec: { containers: [{ name: 'main', image: 'registry.example/x:v1' }] },
            },
          },
        },
      );
      await told('the ConfigMap is at the edge', () => atEdge(configMaps, 'settings'));
      const web = await told('the Deployment is at the edge', () => atEdge(deployments, 'web'));
      await admin.patch(inProject(configMaps, 'settings'), { type: 'merge', body: { data: { a: '2' } } });
      await told('the change is at the edge', async () => {
        const data = (await atEdge(configMaps, 'settings'))?.['data'] as { a?: string } | undefined;
        return data?.a === '2';
      });
      const { namespace, generation = 1 } = web.metadata;
      await constellation.edge(cell).client.patch(
        { cluster: undefined, gvr: deployments, namespace, name: 'web' },
        {
          type: 'merge',
          body: { status: { replicas: 2, readyReplicas: 2, observedGeneration: generation } },
        },
        { subresource: 'status' },
      );
      await told('the project sees the status', async () => {
        const { status } = await admin.get(inProject(deployments, 'web'));
        return (status as { readyReplicas?: number } | undefined)?.readyReplicas === 2;
      });
      await admin.delete(inProject(configMaps, 'settings'));
      await told('it goes from the edge', async () => (await atEdge(configMaps, 'settings')) === undefined);
      assert.ok(await atEdge(deployments, 'web'));
      await told('its copy is let go of', async () => (await copyOf(configMaps, 'settings')) === undefined);
    });

    test('what happened while it was away is made up for', async () => {
      const { admin } = constellation;
      const kept = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { a: '1' } };
      await admin.create({ cluster: project, gvr: configMaps, namespace: 'shop' }, kept);
      await told('the ConfigMap is at the edge', () => atEdge(configMaps, 'kept'));
      await end();
      await admin.patch(inProject(deployments, 'web'), { type: 'merge', body: { spec: { replicas: 5 } } });
      await admin.delete(inProject(configMaps, 'kept'));
      const replicasOf = (object: KubeObject | undefined) =>
        (object?.['spec'] as { replicas?: number } | undefined)?.replicas;
      await until('the copies are written', async () => {
        const { deletionTimestamp } = (await copyOf(configMaps, 'kept'))?.metadata ?? {};
        return replicasOf(await copyOf(deployments, 'web')) === 5 && deletionTimestamp !== undefined;
      });
      assert.equal(replicasOf(await atEdge(deployments, 'web')), 2);
      assert.ok(await atEdge(configMaps, 'kept'));
      await start();
      await told('the change is at the edge', async () => replicasOf(await atEdge(deployments, 'web')) === 5);
      await told('it goes from the edge', async () => (await atEdge(configMaps, 'kept')) === undefined);
      await told('its copy is let go of', async () => (await copyOf(configMaps, 'kept')) === undefined);
    });
  });
}

function run(file: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, stdio: 'inherit', timeout: 240_000 });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${file} ended with ${code}`))));
  });
}
