import { duplicate, forbiddenField, invalid, required, tooLong } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain, labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  checkImmutable,
  checkName,
  checkNonNegative,
  checkOptionalChoice,
  checkSelector,
  type Errors,
} from './common.ts';
import { checkInlineVolume } from './persistent-volumes.ts';
import { quantityOf } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';
import { checkDriverName } from './volume-sources.ts';

/** storage (source: Kubernetes' pkg/apis/storage/validation). */
export const storageRules: { readonly [groupResource: string]: Rule } = {
  'storageclasses.storage.k8s.io': rule({
    always: checkStorageClass,
    change: (errors, storageClass, old) => {
      for (const field of ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode']) {
        checkImmutable(errors, field, storageClass[field], old[field]);
      }
    },
  }),
  'volumeattachments.storage.k8s.io': rule({
    always: (errors, attachment) => checkAttachment(errors, specOf(attachment)),
    change: (errors, attachment, old) => checkImmutable(errors, 'spec', attachment['spec'], old['spec']),
  }),
  'volumeattributesclasses.storage.k8s.io': rule({
    changeFirst: (errors, attributes, old) => {
      for (const field of ['driverName', 'parameters']) {
        if (equalJson(attributes[field], old[field])) continue;
        errors.push(forbiddenField(field, `updates to ${field} are forbidden.`));
      }
    },
    always: (errors, attributes) => {
      const driver = textAt(attributes, 'driverName');
      checkProvisioner(errors, 'driverName', driver);
      checkParameters(errors, objectAt(attributes, 'parameters'));
      if (Object.keys(objectAt(attributes, 'parameters') ?? {}).length === 0) {
        errors.push(required('parameters', 'must contain at least one key/value pair'));
      }
    },
  }),
  'csidrivers.storage.k8s.io': rule({
    always: (errors, driver) => checkCsiDriver(errors, specOf(driver)),
    change: (errors, driver, old) => {
      const [spec, before] = [specOf(driver), specOf(old)];
      // The first is told by another name than the field has, as in Kubernetes.
      checkImmutable(errors, 'spec.attachedRequired', spec['attachRequired'], before['attachRequired']);
      const modes = 'volumeLifecycleModes';
      checkImmutable(errors, `spec.${modes}`, spec[modes], before[modes]);
    },
  }),
  'csinodes.storage.k8s.io': rule({ always: checkCsiNode, change: checkCsiNodeChange }),
  'csistoragecapacities.storage.k8s.io': rule({
    always: (errors, capacity) => {
      checkSelector(errors, 'nodeTopology', objectAt(capacity, 'nodeTopology'));
      checkName(errors, 'storageClassName', textAt(capacity, 'storageClassName'), dns1123Subdomain);
      const amount = quantityOf(capacity, 'capacity');
      if (amount !== undefined && amount.nano < 0n) {
        const why = 'must be greater than or equal to 0';
        errors.push(invalid('capacity', valueAt(capacity, 'capacity'), why));
      }
    },
    change: (errors, capacity, old) => {
      for (const field of ['nodeTopology', 'storageClassName']) {
        checkImmutable(errors, field, capacity[field], old[field]);
      }
    },
  }),
};

function checkAttachment(errors: Errors, spec: JsonObject): void {
  checkDriverName(errors, 'spec.attacher', textAt(spec, 'attacher'));
  const source = objectAt(spec, 'source') ?? {};
  const volume = valueAt(source, 'persistentVolumeName');
  const inline = objectAt(source, 'inlineVolumeSpec');
  const oneText = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (volume === undefined && inline === undefined) errors.push(required('spec.source', oneText));
  else if (volume !== undefined && inline !== undefined) errors.push(forbiddenField('spec.source', oneText));
  else if (volume === '') {
    errors.push(required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName'));
  } else if (inline !== undefined) checkInlineVolume(errors, 'spec.source.inlineVolumeSpec', inline);
  if (typeof volume === 'string') {
    checkName(errors, 'spec.source.persistentVolumeName', volume, dns1123Subdomain);
  }
  checkName(errors, 'spec.nodeName', textAt(spec, 'nodeName'), dns1123Subdomain);
}

const groupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType'];
const lifecycleModes = ['Persistent', 'Ephemeral'];
const tokenSecondsMin = 600;
const tokenSecondsMax = 2 ** 32;
const allocatableSecondsMin = 10;

function checkCsiDriver(errors: Errors, spec: JsonObject): void {
  checkOptionalChoice(errors, 'spec.fsGroupPolicy', valueAt(spec, 'fsGroupPolicy'), groupPolicies);
  const audiences = new Set<string>();
  objectsAt(spec, 'tokenRequests').forEach((request, i) => {
    const at = `spec.tokenRequests[${i}]`;
    const audience = textAt(request, 'audience');
    if (audiences.has(audience)) {
      errors.push(duplicate(`${at}.audience`, audience));
      return;
    }
    audiences.add(audience);
    const seconds = numberAt(request, 'expirationSeconds');
    const refuse = (why: string) => errors.push(invalid(`${at}.expirationSeconds`, seconds, why));
    if (seconds === undefined) return;
    if (seconds < tokenSecondsMin) refuse('may not specify a duration less than 10 minutes');
    if (seconds > tokenSecondsMax) refuse('may not specify a duration larger than 2^32 seconds');
  });
  for (const mode of textsAt(spec, 'volumeLifecycleModes')) {
    if (lifecycleModes.includes(mode)) continue;
    errors.push({
      type: 'FieldValueNotSupported',
      field: 'spec.volumeLifecycleModes',
      message: `Unsupported value: ${JSON.stringify(mode)}: supported values: "Persistent", "Ephemeral"`,
    });
  }
  const period = numberAt(spec, 'nodeAllocatableUpdatePeriodSeconds');
  if (period !== undefined && period < allocatableSecondsMin) {
    const why = 'must be greater than or equal to 10 seconds';
    errors.push(invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, why));
  }
  const inSecrets = valueAt(spec, 'serviceAccountTokenInSecrets');
  if (inSecrets !== undefined && audiences.size === 0) {
    const why = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified';
    errors.push(invalid('spec.serviceAccountTokenInSecrets', inSecrets, why));
  }
}

const nodeIdCharsMax = 256;

function checkCsiNode(errors: Errors, node: KubeObject): void {
  const names = new Set<string>();
  objectsAt(node, 'spec', 'drivers').forEach((driver, i) => {
    const at = `spec.drivers[${i}]`;
    const name = textAt(driver, 'name');
    const id = textAt(driver, 'nodeID');
    checkDriverName(errors, `${at}.name`, name);
    if (id === '') errors.push(required(`${at}.nodeID`));
    if (id.length > nodeIdCharsMax) {
      errors.push(invalid(`${at}.nodeID`, id, `must be ${nodeIdCharsMax} characters or less`));
    }
    checkNonNegative(errors, `${at}.allocatable.count`, numberAt(driver, 'allocatable', 'count'));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    const keys = new Set<string>();
    for (const key of textsAt(driver, 'topologyKeys')) {
      if (key === '') errors.push(required(at));
      if (keys.has(key)) errors.push(duplicate(at, key));
      keys.add(key);
      checkName(errors, at, key, labelKey);
    }
  });
}

/** A driver's entry is fixed once it is there, but for how much it can allocate (KEP-4876). */
function checkCsiNodeChange(errors: Errors, node: KubeObject, old: KubeObject): void {
  const fixed = ({ allocatable: _allocatable, ...driver }: JsonObject) => driver;
  for (const before of objectsAt(old, 'spec', 'drivers')) {
    for (const driver of objectsAt(node, 'spec', 'drivers')) {
      if (driver['name'] === before['name']) {
        checkImmutable(errors, 'spec.drivers', fixed(driver), fixed(before));
      }
    }
  }
}

/** storage ValidateStorageClass. */
function checkStorageClass(errors: Errors, storageClass: KubeObject): void {
  const provisioner = textAt(storageClass, 'provisioner');
  checkProvisioner(errors, 'provisioner', provisioner);
  checkOptionalChoice(errors, 'reclaimPolicy', textAt(storageClass, 'reclaimPolicy') || undefined, [
    'Delete',
    'Retain',
  ]);
  checkOptionalChoice(errors, 'volumeBindingMode', valueAt(storageClass, 'volumeBindingMode'), [
    'Immediate',
    'WaitForFirstConsumer',
  ]);
  checkParameters(errors, objectAt(storageClass, 'parameters'));
  checkTopologies(errors, objectsAt(storageClass, 'allowedTopologies'));
}

/** storage validateAllowedTopologies. */
function checkTopologies(errors: Errors, terms: readonly JsonObject[]): void {
  // Kubernetes compares each with as many absent ones as there are terms, for which one that says nothing is taken.
  const before = terms.map(() => '');
  terms.forEach((term, i) => {
    const seen = new Map<string, string>();
    const field = `allowedTopologies[${i}].matchLabelExpressions`;
    objectsAt(term, 'matchLabelExpressions').forEach((one, j) => {
      const at = `${field}[${j}]`;
      const key = textAt(one, 'key');
      if (textsAt(one, 'values').length === 0) errors.push(required(`${at}.values`));
      checkName(errors, `${at}.key`, key, labelKey);
      if (seen.has(key)) errors.push(duplicate(`${at}.key`, key));
      seen.set(key, JSON.stringify([...new Set(textsAt(one, 'values'))].sort()));
    });
    const said = [...seen].map((pair) => pair.join()).sort();
    const text = said.join('\n');
    for (const other of before) if (other === text) errors.push(duplicate(field, ''));
    before.push(text);
  });
}

function checkProvisioner(errors: Errors, field: string, provisioner: string): void {
  if (provisioner === '') errors.push(required(field));
  else
    for (const why of labelKey(provisioner.toLowerCase()))
      errors.push(invalid(field, provisioner.toLowerCase(), why));
}

const parametersMax = 512;
const parameterBytesMax = 256 * 1024;

function checkParameters(errors: Errors, parameters: JsonObject | undefined): void {
  const names = Object.keys(parameters ?? {});
  if (names.length > parametersMax) {
    errors.push(tooLong('parameters', parametersMax));
    return;
  }
  let bytes = 0;
  for (const name of names) {
    if (name === '') errors.push(invalid('parameters', name, 'field can not be empty.'));
    bytes += Buffer.byteLength(name) + Buffer.byteLength(textAt(parameters, name));
  }
  if (bytes > parameterBytesMax) errors.push(tooLong('parameters', parameterBytesMax));
}
