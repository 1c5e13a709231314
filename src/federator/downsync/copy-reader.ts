import { crdGroup, crdResource } from '#api/apiextensions/crd.ts';
import { edgeVersionOf } from '#api/federation/edge-versions.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CellWorkspace } from '../cell/cell-workspace.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import type { KnownCopies } from './sync-context.ts';
import type { SyncItem } from './sync-item.ts';

/** How a kind is converted is looked at again after this. */
const conversionAgeMaxMs = 30_000;

/** Reads whole copies, in the version that the edge has their kind in. */
export class CopyReader {
  readonly #workspace: Pick<CellWorkspace, 'read'>;
  readonly #copies: Pick<KnownCopies, 'takeWhole'>;
  readonly #clock: Clock;
  /** By `<resource>.<group>`: whether a webhook converts it. */
  readonly #byWebhook = new Map<string, { readonly answer: boolean; readonly atMs: number }>();

  constructor(options: {
    readonly workspace: Pick<CellWorkspace, 'read'>;
    readonly copies: Pick<KnownCopies, 'takeWhole'>;
    readonly clock: Clock;
  }) {
    this.#workspace = options.workspace;
    this.#copies = options.copies;
    this.#clock = options.clock;
  }

  /** Undefined when it is gone. Throws ApiError. */
  async read(
    kind: ServedKind,
    { key, place }: Pick<SyncItem, 'key' | 'place'>,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const isOther = kind.version !== place.version;
    const older = edgeVersionOf(kind.group, kind.version, kind.resource);
    if (isOther && older === undefined && (await this.#isConvertedByWebhook(kind, signal))) {
      return this.#workspace.read({ ...place, version: kind.version }, signal);
    }
    const copy = this.#copies.takeWhole(key) ?? (await this.#workspace.read(place, signal));
    if (copy === undefined || !isOther) return copy;
    if (older !== undefined) return older.toEdge(copy);
    // Read in the other version, it would lack what that has no field for; so the edge says that it does not serve it.
    return { ...copy, apiVersion: formatApiVersion(kind) };
  }

  async #isConvertedByWebhook({ group, resource }: ServedKind, signal: AbortSignal): Promise<boolean> {
    const name = `${resource}.${group}`;
    const nowMs = this.#clock.monotonic();
    const known = this.#byWebhook.get(name);
    if (known !== undefined && nowMs - known.atMs < conversionAgeMaxMs) return known.answer;
    const crds = { group: crdGroup, version: 'v1', resource: crdResource, namespace: '' };
    const spec = (await this.#workspace.read({ ...crds, name }, signal))?.['spec'];
    const conversion = isJsonObject(spec) ? spec['conversion'] : undefined;
    const answer = isJsonObject(conversion) && conversion['strategy'] === 'Webhook';
    this.#byWebhook.set(name, { answer, atMs: nowMs });
    return answer;
  }
}
