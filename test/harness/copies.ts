import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { sha256Hex } from '#apimachinery/hash.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { find } from './edge-objects.ts';
import { until } from './until.ts';

export interface CopySpec {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly resource?: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  /** Everything beside metadata, apiVersion and kind. */
  readonly content?: JsonObject;
  readonly labels?: { [key: string]: string };
  readonly annotations?: { [key: string]: string };
  /** Logical cluster that it says to come from. */
  readonly originCluster?: string;
}

/** Writes copies into a cell's workspace as a scheduler does (docs/copies.md): for tests of what becomes of them. */
export class CopyWriter {
  readonly cell: string;
  readonly #admin: KubeClient;

  constructor(admin: KubeClient, cell = 'cell-a') {
    this.#admin = admin;
    this.cell = cell;
  }

  refOf({ apiVersion = 'v1', resource = 'configmaps', namespace = 'ns', name }: CopySpec): ObjectRef {
    const [version = '', group = ''] = apiVersion.split('/').reverse();
    const isClusterWide = namespace === '';
    return {
      cluster: `${cellsWorkspacePath}:${this.cell}`,
      gvr: { group, version, resource },
      namespace: isClusterWide ? undefined : namespace,
      name,
    };
  }

  async put(spec: CopySpec): Promise<KubeObject> {
    const { apiVersion = 'v1', kind = 'ConfigMap', resource = 'configmaps', namespace = 'ns', name } = spec;
    const ref = this.refOf(spec);
    const annotations = {
      [copyAnnotations.originPath]: 'root:acme:shop',
      [copyAnnotations.originGroup]: ref.gvr.group,
      [copyAnnotations.originResource]: resource,
      [copyAnnotations.originNamespace]: namespace,
      [copyAnnotations.originName]: name,
      ...spec.annotations,
    };
    const labels = {
      ...spec.labels,
      [copyLabels.originCluster]: spec.originCluster ?? 'project1',
      [copyLabels.originControlPlane]: 'upstream',
    };
    const content = spec.content ?? {};
    const hash = sha256Hex(JSON.stringify([content, annotations, labels])).slice(0, 16);
    return this.#admin.apply(
      ref,
      {
        apiVersion,
        kind,
        metadata: {
          name,
          ...(namespace === '' ? {} : { namespace }),
          labels,
          annotations: { ...annotations, [copyAnnotations.contentHash]: hash },
          finalizers: [edgeFinalizer],
        },
        ...content,
      },
      { fieldManager: 'cellplane-scheduler', force: true },
    );
  }

  /** A namespace copy, for the others to lie in; the cell's workspace, which comes a moment after its Cell, is waited for. */
  namespace(name = 'ns'): Promise<KubeObject> {
    return until(`the cell ${this.cell} has a workspace`, () =>
      this.put({ kind: 'Namespace', resource: 'namespaces', namespace: '', name }),
    );
  }

  configMap(name: string, data: JsonObject, more: Partial<CopySpec> = {}): Promise<KubeObject> {
    return this.put({ name, content: { data }, ...more });
  }

  deployment(name: string, replicas: number, more: Partial<CopySpec> = {}): Promise<KubeObject> {
    const labels = { app: name };
    return this.put({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      resource: 'deployments',
      name,
      content: {
        spec: {
          replicas,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'main', image: 'registry.example/x:v1' }] },
          },
        },
      },
      ...more,
    });
  }

  get(spec: CopySpec): Promise<KubeObject> {
    return this.#admin.get(this.refOf(spec));
  }

  async delete(spec: CopySpec): Promise<void> {
    await this.#admin.delete(this.refOf(spec));
  }

  /** Until then what is put under its name goes with it. */
  isGone(spec: CopySpec): Promise<unknown> {
    return until(
      `the copy ${spec.name} is gone`,
      async () => (await find(this.#admin, this.refOf(spec))) === undefined,
    );
  }
}
