import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { isInert } from '../registry/target.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const admissionGroup = 'admissionregistration.k8s.io';

/**
 * Tells the writer of an object whose effect this server does not give that it will have none here: nothing is ignored
 * in silence (DESIGN.md, Honesty). In a cell all of it is inert by contract, and nobody is warned.
 */
export class NotEnforced implements AdmissionPlugin {
  readonly name = 'NotEnforced';
  readonly kinds = [{ group: admissionGroup, resource: '*' }];

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { served, workspace, subresource } = context;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
    if (served.definition.group !== admissionGroup || subresource !== '') return false;
    return workspace !== undefined && !isInert(workspace, served.definition);
  }

  validate({ context, object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const { resource, kind } = context.served.definition;
    if (resource.includes('admissionpolic')) context.warnings.push(...auditWarnings(kind, object));
    return undefined;
  }
}

/** Policies act, but there is no audit log for them to write to. */
function auditWarnings(kind: string, object: KubeObject): string[] {
  const { spec } = object;
  if (!isJsonObject(spec)) return [];
  const { auditAnnotations, validationActions } = spec;
  if (Array.isArray(auditAnnotations) && auditAnnotations.length > 0) {
    return [
      `${kind} has auditAnnotations, but this server keeps no audit log: they are evaluated and go nowhere`,
    ];
  }
  if (Array.isArray(validationActions) && validationActions.includes('Audit')) {
    return [`${kind} has the action Audit, but this server keeps no audit log: it has no effect`];
  }
  return [];
}
