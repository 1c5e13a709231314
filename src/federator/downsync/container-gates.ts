import type { ObjectPlace } from '../cell/copy-keys.ts';

declare const container: unique symbol;
/** What objects lie in, and go with: a namespace, or a kind's definition. */
export type Container = string & { readonly [container]: true };

/** Of a Namespace or a CustomResourceDefinition. */
export function containerNamed(resource: string, name: string): Container {
  return `${resource}/${name}` as Container;
}

/** All that the object would go with. */
export function containersOf({ group, resource, namespace }: ObjectPlace): readonly Container[] {
  const containers: Container[] = [];
  if (namespace !== '') containers.push(containerNamed('namespaces', namespace));
  // Those of Kubernetes' own groups have no definition, and nobody looks at theirs.
  if (group.includes('.'))
    containers.push(containerNamed('customresourcedefinitions', `${resource}.${group}`));
  return containers;
}

interface Gate {
  /** Applies into it that are under way. */
  inside: number;
  look: Look | undefined;
}

interface Look {
  isDisturbed: boolean;
  isClosed: boolean;
}

/** Somebody finds out whether it may be deleted. */
export interface ContainerLook {
  /** True: nothing has been on its way into it since the look began, and nothing gets into it until its end. */
  close(): boolean;
  /** To be called once, whatever came of it. */
  end(): void;
}

/**
 * Keeps the deletion of what holds other objects at one edge, and what is applied into it, apart: whether a namespace is empty is
 * asked in dozens of requests, while which its copies may come again, and a deletion that is decided by such answers would take
 * along what has been brought there just now (docs/defects-found.md, seed 10044). Only that in which something happens takes memory.
 * What is applied does not wait for the questions; the scheduler, which asks once, shuts a namespace while it does
 * (scheduler/copies/cell-namespaces.ts).
 */
export class ContainerGates {
  readonly #gates = new Map<Container, Gate>();

  /** False: one of them is being deleted just now. True: something is brought into all of them until `leave` is called. */
  enter(containers: readonly Container[]): boolean {
    const gates = containers.map((container) => this.#gateOf(container));
    if (gates.some(({ look }) => look?.isClosed === true)) {
      for (const container of containers) this.#forget(container);
      return false;
    }
    for (const gate of gates) {
      gate.inside++;
      if (gate.look !== undefined) gate.look.isDisturbed = true;
    }
    return true;
  }

  leave(containers: readonly Container[]): void {
    for (const container of containers) {
      this.#gateOf(container).inside--;
      this.#forget(container);
    }
  }

  /** One at a time for a container. */
  look(container: Container): ContainerLook {
    const gate = this.#gateOf(container);
    const look: Look = { isDisturbed: gate.inside > 0, isClosed: false };
    gate.look = look;
    return {
      close: () => {
        look.isClosed = !look.isDisturbed;
        return look.isClosed;
      },
      end: () => {
        gate.look = undefined;
        this.#forget(container);
      },
    };
  }

  #gateOf(container: Container): Gate {
    let gate = this.#gates.get(container);
    if (gate === undefined) {
      gate = { inside: 0, look: undefined };
      this.#gates.set(container, gate);
    }
    return gate;
  }

  #forget(container: Container): void {
    const gate = this.#gates.get(container);
    if (gate?.inside === 0 && gate.look === undefined) this.#gates.delete(container);
  }
}
