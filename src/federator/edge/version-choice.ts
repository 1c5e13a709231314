import { edgeVersionOf, edgeVersionsOf } from '#api/federation/edge-versions.ts';
import type { CopyPlace } from '../cell/copy-keys.ts';
import type { ServedKinds } from './edge-kinds.ts';
import type { EdgeMirror } from './edge-mirror.ts';
import type { ServedKind } from './served-kind.ts';

export interface VersionChoiceOptions {
  /** The edge's. */
  readonly edgeKinds: ServedKinds;
  /** The cell workspace's: read only when an edge has none of a kind in the version that copies are stored in. */
  readonly workspaceKinds: ServedKinds;
  readonly mirror: Pick<EdgeMirror, 'kindOf'>;
}

/**
 * In which version the objects of a cell lie at its edge: in the one that the copy is stored in, else, of Kubernetes' own
 * kinds, in an older one that it can be written in, and of custom kinds in one that both sides serve. All objects of a kind
 * lie there in one version, and stay in it while it is served.
 */
export class VersionChoice {
  readonly #options: VersionChoiceOptions;

  constructor(options: VersionChoiceOptions) {
    this.#options = options;
  }

  /** As far as it is known without asking. */
  peek(place: CopyPlace): ServedKind | undefined {
    const { group, version, resource } = place;
    const { edgeKinds, mirror } = this.#options;
    const present = mirror.kindOf(group, resource);
    if (present !== undefined && (present.version === version || this.#leadsTo(place, present.version)))
      return present;
    const own = edgeKinds.peek(group, version, resource);
    if (own !== undefined) return own;
    for (const older of edgeVersionsOf(group, resource)) {
      const kind = edgeKinds.peek(group, older.version, resource);
      if (kind !== undefined) return kind;
    }
    return edgeKinds.versionsOf(group, resource).find((kind) => this.#leadsTo(place, kind.version));
  }

  /** Both sides are asked before it is undefined. Throws ApiError. */
  async find(place: CopyPlace): Promise<ServedKind | undefined> {
    const { edgeKinds, workspaceKinds } = this.#options;
    const known = this.peek(place);
    if (known !== undefined) return known;
    await edgeKinds.refresh();
    const found = this.peek(place);
    if (found !== undefined || edgeKinds.peekAny(place.group, place.resource) === undefined) return found;
    await workspaceKinds.refresh();
    return this.peek(place);
  }

  /** Whether a copy can be had in another version. */
  #leadsTo({ group, resource }: CopyPlace, version: string): boolean {
    return (
      edgeVersionOf(group, version, resource) !== undefined ||
      this.#options.workspaceKinds.peek(group, version, resource) !== undefined
    );
  }
}
