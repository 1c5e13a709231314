import {
  type ReturnKind,
  returnKindKey,
  returnKindOf,
  selectsReturn,
} from '#api/federation/return-contract.ts';
import type { ReturnPolicy } from '#api/federation/return-policy.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Informer } from '#client/informer.ts';
import type { Workspaces } from '../workspaces.ts';
import type { MappedNamespace } from './mapped-namespaces.ts';
import { placeOf } from './return-keys.ts';

/** Which ReturnPolicies ask which cell for what. */
export class AskingPolicies {
  readonly #informer: Informer;
  readonly #workspaces: Workspaces;

  /** The informer of ReturnPolicies, indexed by `namespace`. */
  constructor(informer: Informer, workspaces: Workspaces) {
    this.#informer = informer;
    this.#workspaces = workspaces;
  }

  /** Undefined also of one that is being deleted. */
  get(projectId: string, namespace: string, name: string): ReturnPolicy | undefined {
    const policy = this.#informer.get(`${projectId}|${namespace}/${name}`) as ReturnPolicy | undefined;
    return policy?.metadata.deletionTimestamp === undefined ? policy : undefined;
  }

  /** All of a project's namespace, whatever cells they ask. */
  in(projectId: string, namespace: string): Iterable<KubeObject> {
    return this.#informer.byIndex('namespace', `${projectId}|${namespace}`);
  }

  /** How many lie in the policy's namespace. */
  countBeside(policy: ReturnPolicy): number {
    let count = 0;
    for (const _ of this.#informer.byIndex('namespace', placeOf(policy))) count++;
    return count;
  }

  /** The first that asks the cell for the object. */
  selecting(mapped: MappedNamespace, kind: ReturnKind, object: KubeObject): ReturnPolicy | undefined {
    return this.#asking(mapped).find(({ spec }) => selectsReturn(spec.resources, kind, object));
  }

  /** The first that asks the cell for objects of the kind. */
  naming(mapped: MappedNamespace, kind: ReturnKind): ReturnPolicy | undefined {
    const wanted = returnKindKey(kind);
    return this.#asking(mapped).find(({ spec }) =>
      spec.resources.some((selector) => {
        const selected = returnKindOf(selector);
        return selected !== undefined && returnKindKey(selected) === wanted;
      }),
    );
  }

  asksCell({ spec }: ReturnPolicy, cellId: string): boolean {
    const cell = this.#workspaces.cellOf(cellId);
    return cell !== undefined && (spec.cells === undefined || spec.cells.includes(cell));
  }

  #asking({ projectId, namespace, cellId }: MappedNamespace): ReturnPolicy[] {
    const policies: ReturnPolicy[] = [];
    for (const object of this.in(projectId, namespace)) {
      const policy = object as ReturnPolicy;
      if (this.asksCell(policy, cellId) && policy.metadata.deletionTimestamp === undefined)
        policies.push(policy);
    }
    return policies;
  }
}
