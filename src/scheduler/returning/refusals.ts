import type { ReturnKind } from '#api/federation/return-contract.ts';
import type { AskingPolicies } from './asking-policies.ts';
import type { MappedNamespace } from './mapped-namespaces.ts';

/** Why what came from edges is not in its project: what policies' statuses tell. */
export class Refusals {
  /** By the key of the ReturnedObject. */
  readonly #refusals = new Map<string, { readonly policy: string; readonly message: string }>();
  readonly #policies: AskingPolicies;
  readonly #onChange: (mapped: MappedNamespace) => void;

  /** `onChange`: the statuses of the namespace's policies may have become others. */
  constructor(policies: AskingPolicies, onChange: (mapped: MappedNamespace) => void) {
    this.#policies = policies;
    this.#onChange = onChange;
  }

  has(key: string): boolean {
    return this.#refusals.has(key);
  }

  /** Whether there was one. Who forgets tells of it once what comes instead is known. */
  forget(key: string): boolean {
    return this.#refusals.delete(key);
  }

  refuse(key: string, mapped: MappedNamespace, policy: string, message: string): void {
    this.#refusals.set(key, { policy: `${mapped.projectId}|${mapped.namespace}|${policy}`, message });
    this.#onChange(mapped);
  }

  /** For the first policy that asks for the kind; false when none does. */
  refuseKind(key: string, mapped: MappedNamespace, kind: ReturnKind, message: string): boolean {
    const policy = this.#policies.naming(mapped, kind);
    if (policy !== undefined) this.refuse(key, mapped, policy.metadata.name ?? '', message);
    return policy !== undefined;
  }

  /** What is said for one policy, by `<project id>|<namespace>|<name>`. */
  messagesOf(policy: string): string[] {
    const messages: string[] = [];
    for (const refusal of this.#refusals.values()) {
      if (refusal.policy === policy) messages.push(refusal.message);
    }
    return messages;
  }
}
