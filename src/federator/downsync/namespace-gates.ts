interface Gate {
  /** Applies into the namespace that are under way. */
  inside: number;
  look: Look | undefined;
}

interface Look {
  isDisturbed: boolean;
  isClosed: boolean;
}

/** Somebody finds out whether a namespace may be deleted. */
export interface NamespaceLook {
  /** True: nothing has been on its way into the namespace since the look began, and nothing gets into it until its end. */
  close(): boolean;
  /** To be called once, whatever came of it. */
  end(): void;
}

/**
 * Keeps the deletion of a namespace at one edge, and what is applied into it, apart: whether it is empty is asked in dozens of
 * requests, while which its copies may come again, and a deletion that is decided by such answers would take along what has been
 * brought there just now (docs/defects-found.md, seed 10044). Only namespaces in which something happens take memory.
 */
export class NamespaceGates {
  readonly #gates = new Map<string, Gate>();

  /** False: the namespace is being deleted just now. True: something is brought into it until `leave` is called. */
  enter(namespace: string): boolean {
    const gate = this.#gateOf(namespace);
    if (gate.look?.isClosed === true) return false;
    gate.inside++;
    if (gate.look !== undefined) gate.look.isDisturbed = true;
    return true;
  }

  leave(namespace: string): void {
    const gate = this.#gateOf(namespace);
    gate.inside--;
    this.#forget(namespace, gate);
  }

  /** One at a time for a namespace. */
  look(namespace: string): NamespaceLook {
    const gate = this.#gateOf(namespace);
    const look: Look = { isDisturbed: gate.inside > 0, isClosed: false };
    gate.look = look;
    return {
      close: () => {
        look.isClosed = !look.isDisturbed;
        return look.isClosed;
      },
      end: () => {
        gate.look = undefined;
        this.#forget(namespace, gate);
      },
    };
  }

  #gateOf(namespace: string): Gate {
    let gate = this.#gates.get(namespace);
    if (gate === undefined) {
      gate = { inside: 0, look: undefined };
      this.#gates.set(namespace, gate);
    }
    return gate;
  }

  #forget(namespace: string, gate: Gate): void {
    if (gate.inside === 0 && gate.look === undefined) this.#gates.delete(namespace);
  }
}
