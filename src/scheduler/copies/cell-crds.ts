import { copyAnnotations, definitionAnnotations, edgeFinalizer } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { cloneJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { contentHashOf } from '../projection/content-hash.ts';
import { type Origin, originOf, setOriginAnnotations, setOriginLabels } from '../projection/origin.ts';
import { copyFieldManager } from './copy-writer.ts';
import { crdConflict, mergeCrdVersions, normalizeCrd, storedAsServed } from './crd-normalize.ts';

export const crdsGvr = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
} as const;

export type CrdOutcome =
  | { readonly type: 'served' }
  /** The cell keeps another: `message` names the field in which they differ, and why that one stays. */
  | { readonly type: 'conflict'; readonly message: string };

export interface CrdWanted {
  readonly projectId: string;
  readonly projectPath: string;
  readonly cell: string;
  readonly cellId: string;
  readonly crd: string;
  /** Of the two definitions as the watch knows them, '' when it knows none. */
  readonly projectRevision: string;
  readonly cellRevision: string;
  /** An object of the kind is to be brought there, not the definition alone. */
  readonly forInstance: boolean;
  /** `<group>/<version>/<Kind>` of what its edge serves of the group; undefined: nobody tells. */
  readonly served: readonly string[] | undefined;
  /** Whether no other project has instances in the cell: then the definition follows this project's. */
  readonly isSoleUser: () => boolean;
  /** Whether that project (by its id) still has a definition of this name. */
  readonly isDefinedIn: (projectId: string) => boolean;
  /** Whether another project than this one has a definition of this name. */
  readonly isDefinedElsewhere: () => boolean;
}

/** Groups under k8s.io need it, at the edge as in the project (KUBERNETES.md R2). */
const approvalAnnotation = 'api-approved.kubernetes.io';

/** Remembered definitions of projects, and cells known to serve them. */
const rememberedMax = 2_000;

/**
 * Brings the definitions of projects' kinds to cell workspaces. A definition there belongs to the cell, under its own
 * name: it is made from the first project's, gains versions from others that agree with it, and conflicts with those that
 * do not; while one project alone has instances in the cell it follows that project's (DESIGN.md, APIs in a cell belong to
 * the cell), and while none has any it stays with the project whose it is, so that two definitions never write over each
 * other in turn. One that we did not make is compared and never written.
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

  /** The cell's definition serves the kind some time after this resolves, when it is established. */
  ensure(wanted: CrdWanted, signal: AbortSignal): Promise<CrdOutcome> {
    const { projectId, cellId, crd, projectRevision, cellRevision, served } = wanted;
    const agreement = `${cellId}|${crd}|${projectId}|${projectRevision}|${cellRevision}|${served?.join()}`;
    if (cellRevision !== '' && this.#agreed.has(agreement)) return Promise.resolve({ type: 'served' });
    let underWay = this.#underWay.get(agreement);
    if (underWay === undefined) {
      underWay = this.#merge(wanted, signal)
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

  async #merge(wanted: CrdWanted, signal: AbortSignal): Promise<CrdOutcome> {
    const { projectId, projectPath, cell, cellId, crd } = wanted;
    const ours = await this.#client.get({ cluster: projectId, gvr: crdsGvr, name: crd }, { signal });
    if (hasWebhookConversion(ours)) {
      const message = `${crd} is converted by a webhook, which no edge can call (spec.conversion.strategy)`;
      return { type: 'conflict', message };
    }
    const ref = { cluster: cellId, gvr: crdsGvr, name: crd };
    let theirs: KubeObject | undefined;
    try {
      theirs = await this.#client.get(ref, { signal });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    let definer: Definer = { id: projectId, path: projectPath };
    let spec = specOf(ours);
    if (theirs !== undefined && this.#follows(theirs, wanted)) {
      // What others need beside it stays, or each would take the other's versions away in turn.
      if (wanted.isDefinedElsewhere()) spec = mergeCrdVersions(spec, specOf(theirs));
    } else if (theirs !== undefined) {
      const field = crdConflict(normalizeCrd(ours), normalizeCrd(theirs));
      if (field !== undefined) return { type: 'conflict', message: this.#whyItStays(theirs, wanted, field) };
      spec = mergeCrdVersions(specOf(theirs), spec);
      const isEnough = spec === specOf(theirs);
      if (isEnough && (!this.#isMadeByUs(theirs, cellId) || storedAsServed(spec, wanted.served) === spec))
        return { type: 'served' };
      if (!this.#isMadeByUs(theirs, cellId)) {
        return { type: 'conflict', message: this.#whyItStays(theirs, wanted, 'spec.versions') };
      }
      definer = definerOf(theirs) ?? definer;
    }
    const approval = (theirs ?? ours).metadata.annotations?.[approvalAnnotation];
    spec = cloneJson(storedAsServed(spec, wanted.served));
    const copy = this.#render({ crd, spec, approval, definer }, cell, cellId);
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

  /** Whether the cell's definition becomes this project's, whatever it is now. */
  #follows(
    theirs: KubeObject,
    { cellId, projectId, forInstance, isSoleUser, isDefinedIn }: CrdWanted,
  ): boolean {
    if (!this.#isMadeByUs(theirs, cellId) || !isSoleUser()) return false;
    const definer = definerOf(theirs)?.id;
    return forInstance || definer === undefined || definer === projectId || !isDefinedIn(definer);
  }

  /** Names no other project: it is told in this project's binding. */
  #whyItStays(theirs: KubeObject, { cellId, crd, isSoleUser }: CrdWanted, field: string): string {
    const whose = !this.#isMadeByUs(theirs, cellId)
      ? 'the cell has a definition of its own'
      : isSoleUser()
        ? 'the cell has the definition of another project, which was there before'
        : 'the cell has the definition of another project, which has objects there';
    return `${whose}, and serves another ${crd}: ${field} differs`;
  }

  #isMadeByUs(crd: KubeObject, cellId: string): boolean {
    const origin = originOf(crd.metadata);
    return origin?.controlPlane === this.#controlPlaneId && origin.cluster === cellId;
  }

  /** Its origin is the cell itself: no project's going takes it away. */
  #render(
    {
      crd,
      spec,
      approval,
      definer,
    }: { crd: string; spec: JsonObject; approval: string | undefined; definer: Definer },
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
    const labels: { [key: string]: string } = {};
    setOriginLabels(labels, origin);
    const annotations: { [key: string]: string } = {};
    setOriginAnnotations(annotations, origin);
    annotations[definitionAnnotations.definedBy] = definer.id;
    annotations[definitionAnnotations.definedByPath] = definer.path;
    const copy: KubeObject = {
      apiVersion: `${crdsGvr.group}/${crdsGvr.version}`,
      kind: 'CustomResourceDefinition',
      metadata: { name: crd, labels, annotations, finalizers: [edgeFinalizer] },
      spec,
    };
    if (approval !== undefined) annotations[approvalAnnotation] = approval;
    annotations[copyAnnotations.contentHash] = contentHashOf(copy);
    return copy;
  }
}

/** The project whose definition a cell's follows. */
interface Definer {
  readonly id: string;
  readonly path: string;
}

function definerOf({ metadata: { annotations } }: KubeObject): Definer | undefined {
  const id = annotations?.[definitionAnnotations.definedBy];
  return id === undefined
    ? undefined
    : { id, path: annotations?.[definitionAnnotations.definedByPath] ?? '' };
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
