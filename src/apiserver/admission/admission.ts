import type { GroupResource } from '#apimachinery/gvk.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceContext } from '../request/context.ts';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionAttributes {
  readonly context: ResourceContext;
  readonly operation: AdmissionOperation;
  /** The new state, in the request's version; mutating plugins change it in place. Undefined on delete. */
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
  /** Before the registry has completed what is created: what it gives then is nobody's to see yet. */
  readonly creation?: Creation | undefined;
  /** What a deletion is asked with, as DeleteOptions show it. */
  readonly deletion?: (() => JsonObject) | undefined;
}

export interface Creation {
  readonly isNameGenerated: boolean;
}

/**
 * A step between decoding and storing (KUBERNETES.md A1). `mutate` runs for all plugins before schema validation,
 * `validate` for all plugins after it. Refusals are ApiErrors. Return undefined when done synchronously: the hot path
 * awaits only promises.
 */
export interface AdmissionPlugin {
  readonly name: string;
  /** `mutate` changes nothing: it is there to refuse before others mutate and validate. */
  readonly looksOnly?: true;
  /** It handles nothing else; resource `*`: any of the group. Absent: it may handle any kind. */
  readonly kinds?: readonly GroupResource[];
  handles(attributes: AdmissionAttributes): boolean;
  mutate?(attributes: AdmissionAttributes): Promise<void> | undefined;
  validate?(attributes: AdmissionAttributes): Promise<void> | undefined;
}
