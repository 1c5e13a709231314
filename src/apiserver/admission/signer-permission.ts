import { textAt, valueAt } from '#api/builtin/read.ts';
import { forbidden } from '#apimachinery/api-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import { isInert } from '../registry/target.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const group = 'certificates.k8s.io';

interface Act {
  readonly verb: 'approve' | 'sign' | 'attest';
  readonly what: string;
  readonly signerName: string;
}

/**
 * Kubernetes' CertificateApproval, CertificateSigning and ClusterTrustBundleAttest: who approves or signs a request, or
 * publishes a bundle, needs the verb on the signer (`signers` of certificates.k8s.io, by its name or `domain/*`), besides
 * the right to write the object.
 */
export class SignerPermission implements AdmissionPlugin {
  readonly name = 'SignerPermission';
  readonly kinds = [{ group, resource: '*' }];
  readonly #authorizer: Authorizer;

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  handles({ context, operation }: AdmissionAttributes): boolean {
    const { served, subresource, workspace } = context;
    const { definition } = served;
    if (definition.group !== group || workspace === undefined || isInert(workspace, definition)) return false;
    if (definition.resource === 'clustertrustbundles')
      return subresource === '' && (operation === 'CREATE' || operation === 'UPDATE');
    if (definition.resource !== 'certificatesigningrequests' || operation !== 'UPDATE') return false;
    return subresource === 'approval' || subresource === 'status';
  }

  validate({ context, object, oldObject }: AdmissionAttributes): Promise<void> | undefined {
    if (object === undefined) return undefined;
    const act = actOf(context.subresource, object, oldObject);
    return act === undefined ? undefined : this.#require(act, context, object.metadata.name ?? context.name);
  }

  async #require(act: Act, context: AdmissionAttributes['context'], name: string): Promise<void> {
    const { verb, what, signerName } = act;
    const domain = signerName.split('/', 1)[0]!;
    for (const signer of [signerName, `${domain}/*`]) {
      const { decision } = await this.#authorizer.authorize({
        user: context.user,
        workspace: context.workspace,
        verb,
        resource: { group, version: '*', resource: 'signers', subresource: '', namespace: '', name: signer },
        path: context.info.path,
      });
      if (decision === 'allow') return;
    }
    const why = `user not permitted to ${verb} ${what} signerName ${JSON.stringify(signerName)}`;
    throw forbidden(context.served.definition, name, why);
  }
}

/** What a write does to a signer's name; undefined for one that does nothing to it. */
function actOf(subresource: string, object: KubeObject, old: KubeObject | undefined): Act | undefined {
  if (subresource === '') {
    const signerName = textAt(object, 'spec', 'signerName');
    if (signerName === '' || isUnchanged(object, old)) return undefined;
    return { verb: 'attest', what: 'for', signerName };
  }
  // The stored name: a write cannot choose another signer for itself.
  const signerName = textAt(old, 'spec', 'signerName');
  if (subresource === 'approval') return { verb: 'approve', what: 'requests with', signerName };
  const differs = (field: string) =>
    !equalJson(valueAt(object, 'status', field) ?? null, valueAt(old, 'status', field) ?? null);
  if (!differs('certificate') && !differs('conditions')) return undefined;
  return { verb: 'sign', what: 'requests with', signerName };
}

/** Whether nothing changes but what garbage collection and storage write (rbac.IsOnlyMutatingGCFields). */
function isUnchanged(object: KubeObject, old: KubeObject | undefined): boolean {
  if (old === undefined || !equalJson(object['spec'] ?? null, old['spec'] ?? null)) return false;
  return (
    equalJson(object.metadata.labels ?? null, old.metadata.labels ?? null) &&
    equalJson(object.metadata.annotations ?? null, old.metadata.annotations ?? null)
  );
}
