import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { objectAt } from '../read.ts';
import type { Errors } from './common.ts';

/** A kind's own validation, beyond schema and metadata. */
export type Rule = Pick<Strategy, 'validate' | 'validateUpdate'>;

interface RuleParts {
  /** What must always hold; `old` is what is replaced, undefined on create. */
  readonly always?: (errors: Errors, object: KubeObject, old: KubeObject | undefined) => void;
  /** What must hold between two states of the main path, told before what always must. */
  readonly changeFirst?: (errors: Errors, object: KubeObject, old: KubeObject) => void;
  /** What must hold between two states of the main path. */
  readonly change?: (errors: Errors, object: KubeObject, old: KubeObject) => void;
  /** What must hold of a status that is written on its own; specs are not looked at again then, as in Kubernetes. */
  readonly status?: (errors: Errors, object: KubeObject, old: KubeObject) => void;
}

export function rule({ always, changeFirst, change, status }: RuleParts): Rule {
  return {
    validate: (object) => {
      const errors: Errors = [];
      always?.(errors, object, undefined);
      return errors;
    },
    validateUpdate: (object, old, subresource) => {
      const errors: Errors = [];
      if (subresource === 'status') status?.(errors, object, old);
      else {
        if (subresource === '') changeFirst?.(errors, object, old);
        always?.(errors, object, old);
        if (subresource === '') change?.(errors, object, old);
      }
      return errors;
    },
  };
}

/** The spec, empty when there is none. */
export function specOf(object: JsonObject): JsonObject {
  return objectAt(object, 'spec') ?? {};
}
