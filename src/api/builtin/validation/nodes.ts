import { duplicate, forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import { labelKey, labelValue } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkCidr, checkName, type Errors } from './common.ts';
import { checkResourceAmount } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** Nodes (source: Kubernetes' ValidateNode, ValidateNodeUpdate). Taints are told under metadata, as there. */
export const nodeRule: Rule = rule({ always: checkNode, change: checkNodeChange, status: checkNodeChange });

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function checkTaints(errors: Errors, node: KubeObject): void {
  const seen = new Set<string>();
  objectsAt(node, 'spec', 'taints').forEach((taint, i) => {
    const at = `metadata.taints[${i}]`;
    const effect = textAt(taint, 'effect');
    checkName(errors, `${at}.key`, textAt(taint, 'key'), labelKey);
    const value = textAt(taint, 'value');
    const wrong = labelValue(value);
    if (wrong.length > 0) errors.push(invalid(`${at}.value`, value, wrong.join(';')));
    if (effect === '') errors.push(required(`${at}.effect`));
    else if (!taintEffects.includes(effect)) {
      errors.push({
        type: 'FieldValueNotSupported',
        field: `${at}.effect`,
        message: `Unsupported value: ${JSON.stringify(effect)}: supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`,
      });
    }
    const key = `${textAt(taint, 'key')}:${effect}`;
    if (seen.has(key)) {
      errors.push({
        type: 'FieldValueDuplicate',
        field: at,
        message: `Duplicate value: ${JSON.stringify(taint)}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(key);
  });
}

/** Amounts alone: a kubelet may name what it has as it likes (ValidateNodeResources). */
function checkNodeResources(errors: Errors, node: KubeObject): void {
  for (const field of ['capacity', 'allocatable']) {
    const list = objectAt(node, 'status', field);
    for (const name in list) checkResourceAmount(errors, `status.${field}.${name}`, name, list[name]);
  }
}

const featurePattern = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;
const featureBytesMax = 253;

/** Names in order, each once (validateNodeDeclaredFeatures). */
function checkDeclaredFeatures(errors: Errors, node: KubeObject): void {
  const features = textsAt(node, 'status', 'declaredFeatures');
  features.forEach((feature, i) => {
    const at = `status.declaredFeatures[${i}]`;
    if (feature.length > featureBytesMax) {
      const why = `must be no more than ${featureBytesMax} characters`;
      errors.push(invalid(at, feature, `invalid feature name ${JSON.stringify(feature)}: ${why}`));
    } else if (!featurePattern.test(feature)) {
      const why =
        "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
      errors.push(invalid(at, feature, `invalid feature name ${JSON.stringify(feature)}: ${why}`));
    }
    const next = features[i + 1];
    const nextAt = `status.declaredFeatures[${i + 1}]`;
    if (next === feature) errors.push(duplicate(nextAt, next));
    else if (next !== undefined && feature > next) {
      errors.push(invalid(nextAt, next, 'list must be sorted alphabetically'));
    }
  });
}

function checkNode(errors: Errors, node: KubeObject, old: KubeObject | undefined): void {
  checkTaints(errors, node);
  checkNodeResources(errors, node);
  const swap = numberAt(valueAt(node, 'status', 'nodeInfo', 'swap'), 'capacity');
  if (swap !== undefined && swap <= 0) {
    errors.push(invalid('metadata.nodeSwapStatus.capacity', swap, 'must be greater than zero'));
  }
  checkDeclaredFeatures(errors, node);
  const ranges = textsAt(node, 'spec', 'podCIDRs');
  const known = textsAt(old, 'spec', 'podCIDRs');
  ranges.forEach((range, i) => {
    checkCidr(errors, `spec.podCIDRs[${i}]`, range, known);
  });
  if (ranges.length < 2) return;
  const unreadable = ranges.findIndex((range) => !checkCidr([], '', range));
  if (unreadable >= 0) {
    const fault = `invalid CIDR[${unreadable}]: <nil> (invalid CIDR address: ${ranges[unreadable]})`;
    const message = `Internal error: invalid PodCIDRs. failed to check with dual stack with error:${fault}`;
    errors.push({ type: 'InternalError', field: 'spec.podCIDRs', message });
  }
  const families = new Set(ranges.map((range) => range.includes(':')));
  if (unreadable >= 0 || ranges.length > 2 || families.size < 2) {
    const why = 'may specify no more than one CIDR for each IP family';
    errors.push(invalid('spec.podCIDRs', ranges, why));
  }
}

/** What of a node's spec stays as it is once set, and what is looked at once more; of a status all that is. */
function checkNodeChange(errors: Errors, node: KubeObject, old: KubeObject): void {
  checkNodeResources(errors, node);
  checkDeclaredFeatures(errors, node);
  const addresses = objectsAt(node, 'status', 'addresses');
  addresses.forEach((address, i) => {
    const isRepeated = addresses.slice(0, i).some((one) => equalJson(one, address));
    if (isRepeated) errors.push(duplicate(`status.addresses[${i}]`, address));
  });
  const [spec, before] = [specOf(node), specOf(old)];
  const only = (what: string) => `node updates may not change ${what} except from "" to valid`;
  const ranges = textsAt(spec, 'podCIDRs');
  const known = textsAt(before, 'podCIDRs');
  const changed = known.filter((range, i) => ranges[i] !== range).length;
  const told = known.length > 0 && ranges.length !== known.length ? 1 : changed;
  for (let i = 0; i < told; i++) errors.push(forbiddenField('spec.podCIDRs', only('podCIDR')));
  if (textAt(before, 'providerID') !== '' && spec['providerID'] !== before['providerID']) {
    errors.push(forbiddenField('spec.providerID', only('providerID')));
  }
  checkTaints(errors, node);
  if (textAt(spec, 'externalID') !== textAt(before, 'externalID')) {
    errors.push(forbiddenField('spec.externalID', 'may not be updated'));
  }
}
