import {
  eventKind,
  isCustomGroup,
  type ReturnSelector,
  returnKindOf,
} from '#api/federation/return-contract.ts';
import { returnPoliciesGvr } from '#api/federation/return-policy.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { equalJson, type JsonValue } from '#apimachinery/json.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/admission.ts';
import { loopbackUser } from '../request/user.ts';
import type { Authorizer } from './authorizer.ts';

/**
 * Who asks for objects of a kind to come back from edges must be allowed to create them there: what an edge is let in with is
 * then no more than its asker could have written (decision 117). Events are free: they grant nothing.
 */
export class ReturnPolicyGrantsPlugin implements AdmissionPlugin {
  readonly name = 'ReturnPolicyGrants';
  readonly kinds = [returnPoliciesGvr];
  readonly #authorizer: Authorizer;

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { definition } = context.served;
    if (definition.resource !== returnPoliciesGvr.resource || definition.group !== returnPoliciesGvr.group)
      return false;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
    return context.subresource === '' && context.user !== loopbackUser;
  }

  validate({ context, object, oldObject }: AdmissionAttributes): Promise<void> | undefined {
    if (object === undefined || equalJson(specOf(object), specOf(oldObject))) return undefined;
    return this.#check(context, resourcesOf(object), object.metadata.name ?? context.name);
  }

  async #check(
    context: AdmissionAttributes['context'],
    selectors: readonly ReturnSelector[],
    name: string,
  ): Promise<void> {
    const { user, workspace, namespace, info, served } = context;
    for (const selector of selectors) {
      const kind = returnKindOf(selector);
      if (kind === undefined || kind === eventKind) continue;
      const { group, version } = kind;
      const found = workspace?.scheme.lookupKind(group, version, kind.kind);
      // Whatever a kind that comes later is called, who may create all of its group may create it.
      const resource = found?.definition.resource ?? '*';
      const { decision } = await this.#authorizer.authorize({
        user,
        workspace,
        verb: 'create',
        resource: { group, version, resource, subresource: '', namespace, name: '' },
        path: info.path,
      });
      if (decision === 'allow') continue;
      const what = isCustomGroup(group) ? `${resource}.${group}` : resource;
      throw forbidden(
        served.definition,
        name,
        `user ${JSON.stringify(user.name)} may not create ${what} in namespace ${JSON.stringify(namespace)}, and so not ask for them`,
      );
    }
  }
}

function specOf(object: { readonly [field: string]: unknown } | undefined): JsonValue | undefined {
  return object?.['spec'] as JsonValue | undefined;
}

function resourcesOf(object: { readonly [field: string]: unknown }): readonly ReturnSelector[] {
  const { resources = [] } = (object['spec'] ?? {}) as { resources?: readonly ReturnSelector[] };
  return resources;
}
