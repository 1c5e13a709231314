import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain, pathSegmentName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { keyUsages } from '../key-usages.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { certificateRequestError, certificatesFault } from './certificate-request.ts';
import { checkName, checkSelector, type Errors } from './common.ts';
import { type PemBlock, pemBlocks } from './pem-blocks.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkSignerName } from './signers.ts';

const rbac = 'rbac.authorization.k8s.io';

/** rbac and certificates (source: Kubernetes' pkg/apis/{rbac,certificates}/validation). */
export const authorityRules: { readonly [groupResource: string]: Rule } = {
  [`roles.${rbac}`]: rule({ always: (errors, role) => checkRules(errors, role, true) }),
  [`clusterroles.${rbac}`]: rule({
    always: (errors, role) => {
      checkRules(errors, role, false);
      const aggregation = objectAt(role, 'aggregationRule');
      if (aggregation === undefined) return;
      const at = 'aggregationRule.clusterRoleSelectors';
      const selectors = objectsAt(aggregation, 'clusterRoleSelectors');
      if (selectors.length === 0) {
        errors.push(required(at, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
      }
      selectors.forEach((selector, i) => {
        const before = errors.length;
        checkSelector(errors, `${at}[${i}]`, selector);
        if (errors.length > before) errors.push(invalid(`${at}[${i}]`, selector, 'invalid label selector.'));
      });
    },
  }),
  [`rolebindings.${rbac}`]: rule({
    always: (errors, binding) => checkBinding(errors, binding, true),
    change: checkRoleRefKept,
  }),
  [`clusterrolebindings.${rbac}`]: rule({
    always: (errors, binding) => checkBinding(errors, binding, false),
    change: checkRoleRefKept,
  }),
  'certificatesigningrequests.certificates.k8s.io': {
    validate: (request) => checkSigningRequest(request),
    validateUpdate: (request, old, subresource) => [
      ...checkConditions(request, old),
      ...checkNewCertificate(request, old, subresource),
      ...checkSigningChange(request, old, subresource),
    ],
  },
  'clustertrustbundles.certificates.k8s.io': rule({
    always: checkTrustBundle,
    change: (errors, bundle, old) => {
      if (equalJson(specOf(bundle)['signerName'] ?? '', specOf(old)['signerName'] ?? '')) return;
      errors.push(invalid('spec.signerName', textAt(bundle, 'spec', 'signerName'), 'field is immutable'));
    },
  }),
};

function checkRules(errors: Errors, role: KubeObject, namespaced: boolean): void {
  objectsAt(role, 'rules').forEach((one, i) => {
    const at = `rules[${i}]`;
    const urls = textsAt(one, 'nonResourceURLs');
    const groups = textsAt(one, 'apiGroups');
    const resources = textsAt(one, 'resources');
    if (textsAt(one, 'verbs').length === 0) {
      errors.push(required(`${at}.verbs`, 'verbs must contain at least one value'));
    }
    if (urls.length > 0) {
      if (namespaced) {
        const why = 'namespaced rules cannot apply to non-resource URLs';
        errors.push(invalid(`${at}.nonResourceURLs`, urls, why));
      }
      if (groups.length + resources.length + textsAt(one, 'resourceNames').length > 0) {
        const why = 'rules cannot apply to both regular resources and non-resource URLs';
        errors.push(invalid(`${at}.nonResourceURLs`, urls, why));
      }
      return;
    }
    if (groups.length === 0) {
      errors.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
    }
    if (resources.length === 0) {
      errors.push(required(`${at}.resources`, 'resource rules must supply at least one resource'));
    }
  });
}

function checkBinding(errors: Errors, binding: KubeObject, namespaced: boolean): void {
  const reference = objectAt(binding, 'roleRef') ?? {};
  const group = textAt(reference, 'apiGroup');
  const kind = textAt(reference, 'kind');
  const name = textAt(reference, 'name');
  if (group !== rbac) errors.push(notSupported('roleRef.apiGroup', group, [rbac]));
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  if (!kinds.includes(kind)) errors.push(notSupported('roleRef.kind', kind, kinds));
  if (name === '') errors.push(required('roleRef.name'));
  else checkName(errors, 'roleRef.name', name, pathSegmentName);
  objectsAt(binding, 'subjects').forEach((subject, i) => {
    checkSubject(errors, `subjects[${i}]`, subject, namespaced);
  });
}

function checkSubject(errors: Errors, at: string, subject: JsonObject, namespaced: boolean): void {
  const name = textAt(subject, 'name');
  const group = textAt(subject, 'apiGroup');
  const kind = textAt(subject, 'kind');
  if (name === '') errors.push(required(`${at}.name`));
  if (kind === 'ServiceAccount') {
    if (name !== '') checkName(errors, `${at}.name`, name, dns1123Subdomain);
    if (group !== '') errors.push(notSupported(`${at}.apiGroup`, group, ['']));
    if (!namespaced && textAt(subject, 'namespace') === '') errors.push(required(`${at}.namespace`));
  } else if (kind === 'User' || kind === 'Group') {
    if (group !== rbac) errors.push(notSupported(`${at}.apiGroup`, group, [rbac]));
  } else errors.push(notSupported(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group']));
}

function checkRoleRefKept(errors: Errors, binding: KubeObject, old: KubeObject): void {
  if (equalJson(binding['roleRef'], old['roleRef'])) return;
  errors.push(invalid('roleRef', binding['roleRef'], 'cannot change roleRef'));
}

const expirationSecondsMin = 600;

function checkSigningRequest(request: KubeObject): Errors {
  const errors: Errors = [];
  const spec = specOf(request);
  const pem = textAt(spec, 'request');
  const wrong = certificateRequestError(pem);
  if (wrong !== undefined) errors.push(invalid('spec.request', valueAt(spec, 'request') ?? null, wrong));
  const wanted = textsAt(spec, 'usages');
  if (wanted.length === 0) errors.push(required('spec.usages'));
  wanted.forEach((usage, i) => {
    if (!keyUsages.includes(usage)) errors.push(notSupported(`spec.usages[${i}]`, usage, keyUsages));
    if (wanted.indexOf(usage) < i) errors.push(duplicate(`spec.usages[${i}]`, usage));
  });
  const signer = textAt(spec, 'signerName');
  if (signer === 'kubernetes.io/legacy-unknown') {
    const why = 'the legacy signerName is not allowed via this API version';
    errors.push(invalid('spec.signerName', signer, why));
  } else checkSignerName(errors, 'spec.signerName', signer);
  const seconds = numberAt(spec, 'expirationSeconds');
  if (seconds !== undefined && seconds < expirationSecondsMin) {
    const why = `may not specify a duration less than ${expirationSecondsMin} seconds (10 minutes)`;
    errors.push(invalid('spec.expirationSeconds', seconds, why));
  }
  return errors;
}

function conditionsOf(request: KubeObject, type?: string): readonly JsonObject[] {
  const conditions = objectsAt(request, 'status', 'conditions');
  return type === undefined ? conditions : conditions.filter((one) => one['type'] === type);
}

function checkConditions(request: KubeObject, old: KubeObject): Errors {
  const errors: Errors = [];
  const path = 'status.conditions';
  const seen = new Set<string>();
  conditionsOf(request).forEach((condition, i) => {
    const type = textAt(condition, 'type');
    const status = textAt(condition, 'status');
    if (type === '') errors.push(required(`${path}[${i}].type`));
    const onlyTrue = type === 'Approved' || type === 'Denied' || type === 'Failed';
    const known = onlyTrue ? ['True'] : ['False', 'True', 'Unknown'];
    if (status === '') errors.push(required(`${path}[${i}].status`));
    else if (!known.includes(status)) errors.push(notSupported(`${path}[${i}].status`, status, known));
    if (seen.has(type)) errors.push(duplicate(`${path}[${i}].type`, type));
    seen.add(type);
  });
  const wereBoth = conditionsOf(old, 'Approved').length > 0 && conditionsOf(old, 'Denied').length > 0;
  if (seen.has('Approved') && seen.has('Denied') && !wereBoth) {
    const last = conditionsOf(request).findLast(
      (one) => one['type'] === 'Approved' || one['type'] === 'Denied',
    );
    errors.push(invalid(path, last?.['type'], 'Approved and Denied conditions are mutually exclusive'));
  }
  return errors;
}

/** Approval and denial are for good (KUBERNETES.md O5), and given through `/approval` alone. */
function checkSigningChange(request: KubeObject, old: KubeObject, subresource: string): Errors {
  const errors: Errors = [];
  const path = 'status.conditions';
  const quoted = (type: string) => JSON.stringify(type);
  for (const type of ['Approved', 'Denied', 'Failed']) {
    if (conditionsOf(request, type).length < conditionsOf(old, type).length) {
      errors.push(forbiddenField(path, `updates may not remove a condition of type ${quoted(type)}`));
    }
  }
  if (subresource !== 'approval') {
    for (const type of ['Approved', 'Denied']) {
      const now = conditionsOf(request, type);
      const then = conditionsOf(old, type);
      if (now.length > then.length) {
        errors.push(forbiddenField(path, `updates may not add a condition of type ${quoted(type)}`));
      } else if (now.length === then.length && !now.every((one, i) => equalJson(one, then[i]))) {
        errors.push(forbiddenField(path, `updates may not modify a condition of type ${quoted(type)}\n`));
      }
    }
  }
  const certificate = textAt(request, 'status', 'certificate');
  const before = textAt(old, 'status', 'certificate');
  if (certificate !== before) {
    if (subresource !== 'status') {
      errors.push(forbiddenField('status.certificate', 'updates may not set certificate content'));
    } else if (before !== '') {
      const why = 'updates may not modify existing certificate content';
      errors.push(forbiddenField('status.certificate', why));
    }
  }
  return errors;
}

/** Whatever is written beside a certificate that is none stays as it is (getValidationOptions allowArbitraryCertificate). */
function checkNewCertificate(request: KubeObject, old: KubeObject, subresource: string): FieldError[] {
  const certificate = textAt(request, 'status', 'certificate');
  const before = textAt(old, 'status', 'certificate');
  if (subresource !== 'status' || certificate === before) return [];
  const why = certificateFault(before) === undefined ? certificateFault(certificate) : undefined;
  return why === undefined ? [] : [invalid('status.certificate', '<certificate data>', why)];
}

/** What is wrong first (validateCertificate). */
function certificateFault(base64: string): string | undefined {
  if (base64 === '') return undefined;
  const blocks = pemBlocks(Buffer.from(base64, 'base64').toString('latin1'));
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  return firstOf(blocks, blockFault);
}

function blockFault({ type, hasHeaders, bytes }: PemBlock): string | undefined {
  if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
  return hasHeaders ? 'no PEM block headers are permitted' : certificatesFault(bytes);
}

function firstOf<Item>(
  items: readonly Item[],
  faultOf: (item: Item) => string | undefined,
): string | undefined {
  for (const item of items) {
    const fault = faultOf(item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** A bundle of a signer is named after it, others have no colon in their name. */
function checkTrustBundle(errors: Errors, bundle: KubeObject): void {
  const signer = textAt(bundle, 'spec', 'signerName');
  const name = bundle.metadata.name ?? '';
  if (signer === '') {
    if (name.includes(':')) {
      errors.push(
        invalid(
          'metadata.name',
          name,
          "ClusterTrustBundle without signer name must not have ':' in its name",
        ),
      );
    }
  } else {
    checkSignerName(errors, 'spec.signerName', signer);
    const prefix = `${signer.replace('/', ':')}:`;
    if (!name.startsWith(prefix)) {
      const why = `ClusterTrustBundle for signerName ${signer} must be named with prefix ${prefix}`;
      errors.push(invalid('metadata.name', name, why));
    }
  }
  if (!textAt(bundle, 'spec', 'trustBundle').includes('-----BEGIN CERTIFICATE-----')) {
    errors.push(invalid('spec.trustBundle', '<value omitted>', 'at least one trust anchor must be provided'));
  }
}
