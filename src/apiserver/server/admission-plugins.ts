import type { CachedStorage } from '#storage/cached-storage.ts';
import type { AdmissionPlugin } from '../admission/admission.ts';
import type { AdmissionMetrics } from '../admission/admission-metrics.ts';
import { AppArmorFields } from '../admission/app-armor.ts';
import { BindingWriter } from '../admission/binding-writer.ts';
import { ClaimResize } from '../admission/claim-resize.ts';
import { DefaultClass } from '../admission/default-class.ts';
import { DefaultTolerations } from '../admission/default-tolerations.ts';
import { DefinitionLifecycle } from '../admission/definition-lifecycle.ts';
import { DeviceAdminAccess } from '../admission/device-admin-access.ts';
import { LimitRanger } from '../admission/limit-ranger.ts';
import { NamespaceLifecycle } from '../admission/namespace-lifecycle.ts';
import { NodeTaint } from '../admission/node-taint.ts';
import { NotEnforced } from '../admission/not-enforced.ts';
import { PodSecurity } from '../admission/pod-security/pod-security.ts';
import { PodServiceAccount } from '../admission/pod-service-account.ts';
import { MutatingPolicies } from '../admission/policies/mutating-policies.ts';
import { ValidatingPolicies } from '../admission/policies/validating-policies.ts';
import { Priority } from '../admission/priority.ts';
import { RuntimeClassAdmission } from '../admission/runtime-class.ts';
import { SignerPermission } from '../admission/signer-permission.ts';
import { SigningRequestSubject } from '../admission/signing-request-subject.ts';
import { MutatingWebhooks } from '../admission/webhooks/mutating-webhooks.ts';
import { ValidatingWebhooks } from '../admission/webhooks/validating-webhooks.ts';
import type { WebhookCaller } from '../admission/webhooks/webhook-caller.ts';
import { componentRestrictionPlugin } from '../authz/component-restriction.ts';
import { RbacEscalationPlugin } from '../authz/escalation.ts';
import { ReturnPolicyGrantsPlugin } from '../authz/return-policy-grants.ts';
import type { ServerAuthorizer } from '../authz/server-authorizer.ts';
import type { FirstTouch } from '../workspace/first-touch.ts';
import type { WorkspaceLifecycle } from '../workspace/workspace-lifecycle.ts';

/** All of them, in their order: what changes objects before what only looks (KUBERNETES.md A1). */
export function admissionPlugins(parts: {
  readonly storage: CachedStorage;
  readonly lifecycle: WorkspaceLifecycle | undefined;
  readonly firstTouch: FirstTouch;
  readonly authorization: ServerAuthorizer;
  readonly webhookCaller: WebhookCaller;
  readonly isAudited: boolean;
  readonly metrics: AdmissionMetrics;
}): AdmissionPlugin[] {
  const { storage, lifecycle, firstTouch, authorization, webhookCaller, isAudited, metrics } = parts;
  const { authorizer } = authorization;
  const policies = { storage, authorizer, metrics };
  const webhooks = { storage, caller: webhookCaller, authorizer, metrics };
  return [
    ...(lifecycle === undefined ? [] : [lifecycle]),
    new NamespaceLifecycle({ storage, ensure: (workspace) => firstTouch.touch(workspace) }),
    new DefinitionLifecycle(),
    new SigningRequestSubject(),
    new AppArmorFields(),
    new LimitRanger(storage),
    new PodServiceAccount(storage),
    new NodeTaint(),
    new PodSecurity(storage),
    new Priority(storage),
    new DefaultTolerations(),
    DefaultClass.storage(storage),
    new ClaimResize(storage),
    new RuntimeClassAdmission(storage),
    new SignerPermission(authorizer),
    DefaultClass.ingress(storage),
    new MutatingPolicies(policies),
    new MutatingWebhooks(webhooks),
    new BindingWriter(),
    componentRestrictionPlugin,
    new RbacEscalationPlugin(authorization.authorizer, authorization.rbac),
    new ReturnPolicyGrantsPlugin(authorization.authorizer),
    new DeviceAdminAccess(storage),
    new ValidatingPolicies(policies),
    new ValidatingWebhooks(webhooks),
    ...(isAudited ? [] : [new NotEnforced()]),
  ];
}
