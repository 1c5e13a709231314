import { federationGroup } from '#api/federation/group.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import { federatorNameOf } from './components.ts';

/**
 * A federator creates only the Federator and the Lease that bear its own name: the URL of a create names nothing, so
 * the authorizer cannot tell (Kubernetes' NodeRestriction does the same for nodes).
 */
export const componentRestrictionPlugin: AdmissionPlugin = {
  name: 'ComponentRestriction',

  handles({ context, operation }: AdmissionAttributes): boolean {
    if (operation !== 'CREATE' || context.workspace?.type !== 'cells') return false;
    if (federatorNameOf(context.user) === undefined) return false;
    const { group, resource } = context.served.definition;
    return (
      (group === federationGroup && resource === 'federators') ||
      (group === 'coordination.k8s.io' && resource === 'leases')
    );
  },

  validate({ context, object }: AdmissionAttributes): undefined {
    const federator = federatorNameOf(context.user);
    const name = object?.metadata.name ?? '';
    if (name !== federator) {
      throw forbidden(
        context.served.definition,
        name,
        `federator ${JSON.stringify(federator)} may only create the one of its own name`,
      );
    }
  },
};
