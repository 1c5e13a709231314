import { federationGroup } from '#api/federation/group.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { loopbackUser } from '../request/user.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

/** Who decides placement. */
export const schedulerUserName = 'system:cellplane:scheduler';

const bindingGroup = 'work.karmada.io';
/** What objects were before, beside their bindings. */
const revisions = 'templaterevisions';

/**
 * Bindings hold decisions: only the scheduler writes them, whatever RBAC says (DESIGN.md, Bindings). The server's own
 * controllers may too, so that a workspace or namespace that goes takes its bindings with it.
 */
export class BindingWriter implements AdmissionPlugin {
  readonly name = 'BindingWriter';
  readonly kinds = [
    { group: bindingGroup, resource: '*' },
    { group: federationGroup, resource: revisions },
  ];

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { group, resource } = context.served.definition;
    return (
      (group === bindingGroup || (group === federationGroup && resource === revisions)) &&
      operation !== 'CONNECT'
    );
  }

  validate({ context }: AdmissionAttributes): undefined {
    const { user } = context;
    if (user.name === schedulerUserName || user === loopbackUser) return undefined;
    throw forbidden(
      context.served.definition,
      context.name,
      `only ${schedulerUserName} writes bindings; User ${JSON.stringify(user.name)} cannot`,
    );
  }
}
