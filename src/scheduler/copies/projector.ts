import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { StillWaiting } from '#client/still-waiting.ts';
import type { Target } from '../algorithm/decision.ts';
import type { CellStore } from '../cells/cell-store.ts';
import type { Mappers } from '../mappers.ts';
import { type KeyParts, keyOf, type ProjectObjectKey } from '../object-key.ts';
import { crdResource, resourceKey } from '../projection/kinds.ts';
import type { Origin } from '../projection/origin.ts';
import {
  type CellView,
  type RenderedCopy,
  type RenderInput,
  type Rendering,
  renderCopy,
} from '../projection/render.ts';
import type { ResourceWatches } from '../watches/resource-watches.ts';
import type { Workspaces } from '../workspaces.ts';
import type { CellCrds } from './cell-crds.ts';
import type { CellNamespaces } from './cell-namespaces.ts';
import { type CopyRecord, placeKeyIn } from './copy-index.ts';
import type { CopyOutcome, CopyWriter } from './copy-writer.ts';

const concurrentCellsMax = 16;
const namespacesResource = { group: '', resource: 'namespaces' } as const;

export interface ProjectorDependencies {
  readonly cells: CellStore;
  readonly workspaces: Workspaces;
  readonly watches: ResourceWatches;
  readonly writer: CopyWriter;
  readonly namespaces: CellNamespaces;
  readonly crds: CellCrds;
  readonly controlPlaneId: string;
  readonly mappers: Mappers;
  /** Whether no other project has objects of this `<resource>.<group>` in the cell workspace. */
  readonly isSoleUser: (resourceName: string, projectId: string, cellId: string) => boolean;
  /** Whether a decision of its own brings this copy about, so that it is not for others to write. */
  readonly isDecided: (key: ProjectObjectKey, place: string) => boolean;
}

/** What is to be brought to the cells, rendered before anything is written. */
export interface Projection {
  readonly renderings: ReadonlyMap<string, Rendering>;
  /** Path of the first field named `namespace` that nothing maps, where there is one. */
  readonly unmapped: string | undefined;
  readonly refused: string | undefined;
  readonly overrideErrors: string | undefined;
}

export interface ProjectionResult {
  readonly collisions: readonly string[];
  /** Where something lies that has to go first: of another origin, or a namespace that is being deleted. */
  readonly occupiedPlaces: readonly string[];
  readonly apiConflicts: readonly string[];
  /** Cell → why its copy could not be written; to be tried again. */
  readonly failures: ReadonlyMap<string, string>;
  /** A StillWaiting where there is nothing worse. */
  readonly firstError: unknown;
}

/** One writing of a projection. */
export interface ProjectionPass {
  readonly key: KeyParts;
  readonly input: RenderInput;
  /** Cells whose copies are to be left as they are for now. */
  readonly skip: (cell: string) => boolean;
  readonly signal: AbortSignal;
  /** By place: the object's copies as they were known when it was decided. */
  readonly decidedOver: ReadonlyMap<string, CopyRecord>;
}

type CellProblem =
  | { readonly type: 'collision'; readonly message: string; readonly place: string }
  | { readonly type: 'apiConflict'; readonly message: string }
  /** `place`: what is awaited to go, where its going is no event of the object's own. */
  | { readonly type: 'later'; readonly message: string; readonly place?: string };

/** Renders copies and writes them into cell workspaces, cells side by side and each failing for itself. */
export class Projector {
  readonly #on: ProjectorDependencies;
  readonly #served = new WeakMap<ReadonlySet<string>, Map<string, readonly string[]>>();

  constructor(dependencies: ProjectorDependencies) {
    this.#on = dependencies;
  }

  /** Pure: what each target's cell is to get. Cells that need the same share one rendering. */
  render(input: RenderInput, targets: readonly Target[]): Projection {
    const renderings = new Map<string, Rendering>();
    const shared = new Map<string, Rendering>();
    let unmapped: string | undefined;
    const refused: string[] = [];
    const overrideErrors: string[] = [];
    for (const { name, replicas } of targets) {
      const namespaces = () => this.#projectNamespaces(input.origin.cluster, name);
      const view = this.#on.cells.view(name, namespaces);
      if (view === undefined) continue;
      const variant = input.variant?.(name);
      const key = sharingKey(variant ?? input, view, replicas);
      const alike = key === undefined ? undefined : `${variant === undefined ? 'now' : 'before'}|${key}`;
      const rendering =
        (alike === undefined ? undefined : shared.get(alike)) ?? renderFor(variant ?? input, view);
      if (alike !== undefined) shared.set(alike, rendering);
      renderings.set(name, rendering);
      unmapped ??= rendering.unmapped[0];
      if (rendering.refused !== undefined) refused.push(`cell ${name}: ${rendering.refused}`);
      if (rendering.overrideErrors.length > 0)
        overrideErrors.push(`cell ${name}: ${rendering.overrideErrors.join(', ')}`);
    }
    return { renderings, unmapped, refused: summary(refused), overrideErrors: summary(overrideErrors) };
  }

  #projectNamespaces(projectId: string, cell: string): string[] {
    const cellId = this.#on.workspaces.cellId(cell);
    if (cellId === undefined) return [];
    const names: string[] = [];
    for (const { metadata } of this.#on.watches.inCluster('namespaces.', cellId)) {
      if (metadata.deletionTimestamp !== undefined) continue;
      if (metadata.labels?.['federation.cellplane.io/origin-cluster'] !== projectId) continue;
      if (metadata.labels['federation.cellplane.io/origin-control-plane'] !== this.#on.controlPlaneId)
        continue;
      const name = metadata.annotations?.['federation.cellplane.io/origin-name'];
      if (name !== undefined) names.push(name);
    }
    return names.sort();
  }

  /** Place → content hash, of all copies that should lie there, written or not. */
  placesOf(projection: Projection): Map<string, string> {
    const places = new Map<string, string>();
    for (const [cell, { copies }] of projection.renderings) {
      const cellId = this.#on.workspaces.cellId(cell);
      if (cellId === undefined) continue;
      for (const copy of copies) places.set(placeOf(cellId, copy), copy.contentHash);
    }
    return places;
  }

  async project(projection: Projection, pass: ProjectionPass): Promise<ProjectionResult> {
    const collisions: string[] = [];
    const occupiedPlaces: string[] = [];
    const apiConflicts: string[] = [];
    const failures = new Map<string, string>();
    let firstError: unknown;
    let firstWait: StillWaiting | undefined;
    const work = [...projection.renderings];
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < work.length) {
        const [cell, rendering] = work[next++] as (typeof work)[number];
        const cellId = this.#on.workspaces.cellId(cell);
        if (cellId === undefined) {
          failures.set(cell, 'the workspace of the cell is not there');
          firstError ??= new Error(`cell ${cell} has no workspace`);
          continue;
        }
        if (pass.skip(cell)) continue;
        try {
          const problem = await this.#toCell(cell, cellId, rendering, pass);
          if (problem === undefined) continue;
          const message = `cell ${cell}: ${problem.message}`;
          failures.set(cell, problem.message);
          if (problem.type === 'apiConflict') apiConflicts.push(message);
          else if (problem.place !== undefined) occupiedPlaces.push(problem.place);
          if (problem.type === 'collision') collisions.push(message);
          if (problem.type === 'later') firstWait ??= new StillWaiting(message);
        } catch (error) {
          failures.set(cell, error instanceof Error ? error.message : String(error));
          firstError ??= error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrentCellsMax, work.length) }, worker));
    // It is remembered of each object: mostly there are none.
    const kept = failures.size === 0 ? noFailures : failures;
    return { collisions, occupiedPlaces, apiConflicts, failures: kept, firstError: firstError ?? firstWait };
  }

  async #toCell(
    cell: string,
    cellId: string,
    rendering: Rendering,
    pass: ProjectionPass,
  ): Promise<CellProblem | undefined> {
    const { key, input, signal } = pass;
    const ownCrd = resourceKey(key.group, key.resource) === crdResource ? key.name : undefined;
    const crd = ownCrd ?? (input.custom ? `${key.resource}.${key.group}` : undefined);
    if (crd !== undefined) {
      const outcome = await this.#on.crds.ensure(
        {
          projectId: key.cluster,
          cell,
          cellId,
          crd,
          projectPath: input.origin.path,
          projectRevision: this.#crdRevision(key.cluster, crd),
          cellRevision: this.#crdRevision(cellId, crd),
          served: this.#servedIn(cell, crd.slice(crd.indexOf('.') + 1)),
          forInstance: ownCrd === undefined,
          isSoleUser: () => this.#on.isSoleUser(crd, key.cluster, cellId),
          isDefinedIn: (project) => this.#on.watches.get(crdResource, project, '', crd) !== undefined,
          isDefinedElsewhere: () => this.#isDefinedElsewhere(crd, key.cluster),
        },
        signal,
      );
      if (outcome.type === 'conflict') {
        return { type: 'apiConflict', message: outcome.message };
      }
      if (ownCrd !== undefined) return undefined;
    }
    for (const copy of rendering.copies) {
      const problem = await this.#ensureCopy(cell, cellId, copy, pass);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** What the cell's edge serves of a group; looked up once for each state of the cell. */
  #servedIn(cell: string, group: string): readonly string[] | undefined {
    const served = this.#on.cells.info(cell)?.served;
    if (served === undefined) return undefined;
    let groups = this.#served.get(served);
    if (groups === undefined) {
      groups = new Map();
      this.#served.set(served, groups);
    }
    let kinds = groups.get(group);
    if (kinds === undefined) {
      kinds = [...served].filter((kind) => kind.startsWith(`${group}/`)).sort();
      groups.set(group, kinds);
    }
    return kinds;
  }

  #isDefinedElsewhere(crd: string, projectId: string): boolean {
    for (const other of this.#on.workspaces.projectsBelow('root'))
      if (other !== projectId && this.#on.watches.get(crdResource, other, '', crd) !== undefined) return true;
    return false;
  }

  #crdRevision(cluster: string, crd: string): string {
    return this.#on.watches.get(crdResource, cluster, '', crd)?.metadata.resourceVersion ?? '';
  }

  async #ensureCopy(
    cell: string,
    cellId: string,
    copy: RenderedCopy,
    pass: ProjectionPass,
  ): Promise<CellProblem | undefined> {
    const mappedNamespace = copy.place.namespace;
    if (mappedNamespace === undefined) return this.#write(cellId, copy, pass);
    const place = placeKeyIn(cellId, namespacesResource, '', mappedNamespace);
    const problem = await this.#on.namespaces.fill(place, async () => {
      const { key, input, signal } = pass;
      const namespace = this.#sourceNamespace(key, copy, input);
      const made = await this.ensureNamespace(key.cluster, namespace, cell, cellId, input, signal);
      // What is held in it keeps it from going, and need not go itself.
      if (made.type === 'leaving') await this.#on.writer.wantIfLeaving(cellId, copy, signal);
      return made.type === 'collision' || made.type === 'leaving' ? made : this.#write(cellId, copy, pass);
    });
    return problem?.type === 'leaving'
      ? { type: 'later', message: 'the namespace in the cell is being deleted', place }
      : problem;
  }

  async #write(
    cellId: string,
    copy: RenderedCopy,
    { signal, decidedOver }: ProjectionPass,
  ): Promise<CellProblem | undefined> {
    const outcome = await this.#on.writer.ensure(cellId, copy, signal, decidedOver);
    if (outcome.type === 'collision') return outcome;
    if (outcome.type === 'leaving') return { type: 'later', message: 'the former copy is being deleted' };
    return undefined;
  }

  /** The project's name of the namespace that a copy goes to; of several (ClusterRoleBinding) the one that maps to it. */
  #sourceNamespace(key: KeyParts, copy: RenderedCopy, input: RenderInput): string {
    if (key.namespace !== '') return key.namespace;
    for (const { metadata } of this.#on.watches.inCluster('namespaces.', key.cluster)) {
      const name = metadata.name ?? '';
      if (input.mapper.namespace(name) === copy.place.namespace) return name;
    }
    return '';
  }

  /** Brings a mapped namespace's labels up to date with its project's. */
  async refreshNamespace(record: CopyRecord, signal: AbortSignal): Promise<void> {
    const project = this.#on.workspaces.project(record.origin.cluster);
    const cell = this.#on.workspaces.cellOf(record.cellId);
    if (project === undefined || cell === undefined) return;
    const mapper = await this.#on.mappers.of(project, signal);
    const origin = { ...record.origin, path: project.path };
    await this.ensureNamespace(
      project.id,
      record.origin.name,
      cell,
      record.cellId,
      { mapper, origin },
      signal,
    );
  }

  /** Makes the mapped namespace of a project's namespace in a cell, or brings its labels up to date. */
  async ensureNamespace(
    projectId: string,
    namespace: string,
    cell: string,
    cellId: string,
    input: Pick<RenderInput, 'mapper' | 'origin'>,
    signal: AbortSignal,
  ): Promise<CopyOutcome> {
    const place = placeKeyIn(cellId, namespacesResource, '', input.mapper.namespace(namespace));
    const ownKey = keyOf({
      group: '',
      resource: 'namespaces',
      cluster: projectId,
      namespace: '',
      name: namespace,
    });
    if (this.#on.isDecided(ownKey, place) && this.#on.namespaces.stands(place))
      return { type: 'unchanged' as const };
    const source: KubeObject | undefined = this.#on.watches.get('namespaces.', projectId, '', namespace);
    const { controlPlane, cluster, path } = input.origin;
    const uid = source?.metadata.uid ?? '';
    const origin: Origin = {
      controlPlane,
      cluster,
      path,
      group: '',
      resource: 'namespaces',
      namespace: '',
      name: namespace,
      uid,
    };
    const view = this.#on.cells.view(cell, () => []);
    const options = { podSecurityLabels: view?.allowsPodSecurity ?? false, signal };
    return this.#on.namespaces.ensure(cellId, source, origin, input.mapper, options);
  }
}

function renderFor(input: RenderInput, view: CellView): Rendering {
  return isCrd(input.kind) ? nothingRendered : renderCopy(input, view);
}

/**
 * Equal for cells that get the same rendering: all that `renderCopy` asks of a cell. Undefined where it asks more: RBAC looks
 * at the cell's lists, a divided Job at each cell's part.
 */
function sharingKey(input: RenderInput, view: CellView, replicas: number | undefined): string | undefined {
  const { group, resource } = input.kind;
  if (group === 'rbac.authorization.k8s.io' || (group === 'batch' && resource === 'jobs')) return undefined;
  let key = `${replicas}|${view.allowsPodSecurity}|`;
  for (const { matches } of input.overrides) key += matches(view.info) ? '1' : '0';
  const relayed = input.relayed?.(view.info.name);
  if (relayed !== undefined) key += JSON.stringify(relayed);
  return key;
}

/** Definitions go to cells by a way of their own (cell-crds.ts). */
function isCrd({ group, resource }: RenderInput['kind']): boolean {
  return resourceKey(group, resource) === crdResource;
}

const noFailures: ReadonlyMap<string, string> = new Map();
const nothingRendered: Rendering = { copies: [], unmapped: [], refused: undefined, overrideErrors: [] };

function placeOf(cellId: string, { place }: RenderedCopy): string {
  return placeKeyIn(cellId, place, place.namespace, place.name);
}

/** The first, and how many more there are. */
export function summary(messages: readonly string[]): string | undefined {
  const [first] = messages;
  if (first === undefined) return undefined;
  if (messages.length === 1) return first;
  return `${first} (and ${messages.length === 2 ? '1 more cell' : `${messages.length - 1} more cells`})`;
}

/** The API group that a CustomResourceDefinition defines. */
export function definedGroup(crd: KubeObject): string {
  const spec = crd['spec'];
  return isJsonObject(spec) ? String(spec['group'] ?? '') : '';
}
