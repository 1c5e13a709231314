import { copyAnnotations, edgeFinalizer } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { cloneJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { copyFieldManager } from './copy-writer.ts';
import { crdConflict, mergeCrdVersions, normalizeCrd } from './crd-normalize.ts';
import { contentHashOf } from './projection/canonical.ts';
import { type Origin, originAnnotations, originLabels, originOf } from './projection/origin.ts';

export const crdsGvr = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
} as const;

export type CrdOutcome =
  | { readonly type: 'served' }
  /** The field in which the project's definition differs from the cell's. */
  | { readonly type: 'conflict'; readonly field: string };

/** Groups under k8s.io need it, at the edge as in the project (KUBERNETES.md R2). */
const approvalAnnotation = 'api-approved.kubernetes.io';

/** Remembered definitions of projects, and cells known to serve them. */
const rememberedMax = 2_000;

/**
 * Brings the definitions of projects' kinds to cell workspaces. A definition there belongs to the cell, under its own
 * name: it is made from the first project's, gains versions from others that agree with it, and conflicts with those that
 * do not; while one project alone has instances in the cell it follows that project's (DESIGN.md, APIs in a cell belong to the cell). One that we did not make is compared and never written.
 */
export class CellCrds {
  readonly #client: KubeClient;
  readonly #controlPlaneId: string;
  /** `<cell id>|<crd>|<revision of the project's>|<revision of the cell's>` that were found to agree. */
  readonly #agreed = new Set<string>();
  readonly #underWay = new Map<string, Promise<CrdOutcome>>();

  constructor(client: KubeClient, controlPlaneId: string) {
    this.#client = client;
    this.#controlPlaneId = controlPlaneId;
  }

  /**
   * `projectRevision`, `cellRevision`: of the two definitions as the watch knows them, '' when it knows none. The cell's
   * definition serves the kind some time after this resolves, when it is established.
   */
  ensure(
    input: {
      readonly projectId: string;
      readonly cell: string;
      readonly cellId: string;
      readonly crd: string;
      readonly projectRevision: string;
      readonly cellRevision: string;
      /** Whether no other project has instances in the cell: then the definition follows this project's. */
      readonly isSoleUser: () => boolean;
    },
    signal: AbortSignal,
  ): Promise<CrdOutcome> {
    const { projectId, cellId, crd, projectRevision, cellRevision } = input;
    const agreement = `${cellId}|${crd}|${projectId}|${projectRevision}|${cellRevision}`;
    if (cellRevision !== '' && this.#agreed.has(agreement)) return Promise.resolve({ type: 'served' });
    let underWay = this.#underWay.get(agreement);
    if (underWay === undefined) {
      underWay = this.#merge(input, signal)
        .then((outcome) => {
          if (outcome.type === 'served' && cellRevision !== '') this.#remember(agreement);
          return outcome;
        })
        .finally(() => this.#underWay.delete(agreement));
      this.#underWay.set(agreement, underWay);
    }
    return underWay;
  }

  #remember(agreement: string): void {
    if (this.#agreed.size >= rememberedMax) this.#agreed.clear();
    this.#agreed.add(agreement);
  }

  async #merge(
    {
      projectId,
      cell,
      cellId,
      crd,
      isSoleUser,
    }: { projectId: string; cell: string; cellId: string; crd: string; isSoleUser: () => boolean },
    signal: AbortSignal,
  ): Promise<CrdOutcome> {
    const ours = await this.#client.get({ cluster: projectId, gvr: crdsGvr, name: crd }, { signal });
    if (hasWebhookConversion(ours)) return { type: 'conflict', field: 'spec.conversion.strategy' };
    const ref = { cluster: cellId, gvr: crdsGvr, name: crd };
    let theirs: KubeObject | undefined;
    try {
      theirs = await this.#client.get(ref, { signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    const projectSpec = specOf(ours);
    let spec = projectSpec;
    if (theirs !== undefined && !(this.#isMadeByUs(theirs, cellId) && isSoleUser())) {
      const field = crdConflict(normalizeCrd(ours), normalizeCrd(theirs));
      if (field !== undefined) return { type: 'conflict', field };
      spec = mergeCrdVersions(specOf(theirs), projectSpec);
      if (spec === specOf(theirs)) return { type: 'served' };
      if (!this.#isMadeByUs(theirs, cellId)) return { type: 'conflict', field: 'spec.versions' };
    }
    const approval = (theirs ?? ours).metadata.annotations?.[approvalAnnotation];
    const copy = this.#render({ crd, spec: cloneJson(spec), approval }, cell, cellId);
    if (theirs !== undefined && hashOf(theirs) === hashOf(copy)) return { type: 'served' };
    // Read, merged and written: what another scheduler merged meanwhile must not be lost.
    if (theirs?.metadata.resourceVersion !== undefined) {
      copy.metadata.resourceVersion = theirs.metadata.resourceVersion;
    }
    await this.#client.apply(ref, copy, {
      fieldManager: copyFieldManager,
      force: theirs !== undefined,
      signal,
    });
    return { type: 'served' };
  }

  #isMadeByUs(crd: KubeObject, cellId: string): boolean {
    const origin = originOf(crd.metadata);
    return origin?.controlPlane === this.#controlPlaneId && origin.cluster === cellId;
  }

  /** Its origin is the cell itself: no project's going takes it away. */
  #render(
    { crd, spec, approval }: { crd: string; spec: JsonObject; approval: string | undefined },
    cell: string,
    cellId: string,
  ): KubeObject {
    const origin: Origin = {
      controlPlane: this.#controlPlaneId,
      cluster: cellId,
      path: `root:cells:${cell}`,
      group: crdsGvr.group,
      resource: crdsGvr.resource,
      namespace: '',
      name: crd,
      uid: '',
    };
    const annotations = originAnnotations(origin);
    const copy: KubeObject = {
      apiVersion: `${crdsGvr.group}/${crdsGvr.version}`,
      kind: 'CustomResourceDefinition',
      metadata: { name: crd, labels: originLabels(origin), annotations, finalizers: [edgeFinalizer] },
      spec,
    };
    if (approval !== undefined) annotations[approvalAnnotation] = approval;
    annotations[copyAnnotations.contentHash] = contentHashOf(copy);
    return copy;
  }
}

function hashOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[copyAnnotations.contentHash];
}

function specOf(crd: KubeObject): JsonObject {
  return isJsonObject(crd['spec']) ? crd['spec'] : {};
}

/** A conversion webhook lies in the project; no edge can call it. */
function hasWebhookConversion(crd: KubeObject): boolean {
  const conversion = specOf(crd)['conversion'];
  return isJsonObject(conversion) && conversion['strategy'] === 'Webhook';
}
