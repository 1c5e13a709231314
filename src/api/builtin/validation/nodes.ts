import { forbiddenField, invalid, required } from '#apimachinery/field-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import { labelKey, labelValue } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectAt, objectsAt, textAt, textsAt } from '../read.ts';
import { checkCidr, checkName, type Errors, keyPath } from './common.ts';
import { checkResourceAmount, checkResourceName } from './resources.ts';
import { type Rule, rule, specOf } from './rule.ts';

/** Nodes (source: Kubernetes' ValidateNode). Taints are told under metadata, as there. */
export const nodeRule: Rule = rule({ always: checkNode, change: checkNodeChange });

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function checkNode(errors: Errors, node: KubeObject, old: KubeObject | undefined): void {
  const seen = new Set<string>();
  objectsAt(node, 'spec', 'taints').forEach((taint, i) => {
    const at = `metadata.taints[${i}]`;
    const effect = textAt(taint, 'effect');
    checkName(errors, `${at}.key`, textAt(taint, 'key'), labelKey);
    checkName(errors, `${at}.value`, textAt(taint, 'value'), labelValue);
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
  for (const field of ['capacity', 'allocatable']) {
    const list = objectAt(node, 'status', field);
    for (const name in list) {
      const at = keyPath(`status.${field}`, name);
      checkResourceName(errors, at, name);
      checkResourceAmount(errors, at, name, list[name]);
    }
  }
  const ranges = textsAt(node, 'spec', 'podCIDRs');
  const known = textsAt(old, 'spec', 'podCIDRs');
  ranges.forEach((range, i) => {
    checkCidr(errors, `spec.podCIDRs[${i}]`, range, known);
  });
  const families = new Set(ranges.map((range) => range.includes(':')));
  if (ranges.length > 2 || families.size < ranges.length) {
    const why = 'may specify no more than one CIDR for each IP family';
    errors.push(invalid('spec.podCIDRs', ranges, why));
  }
}

/** What of a node's spec stays as it is once set (core ValidateNodeUpdate). */
function checkNodeChange(errors: Errors, node: KubeObject, old: KubeObject): void {
  const [spec, before] = [{ ...specOf(node) }, { ...specOf(old) }];
  const only = (what: string) => `node updates may not change ${what} except from "" to valid`;
  if (textsAt(before, 'podCIDRs').length > 0 && !equalJson(spec['podCIDRs'], before['podCIDRs'])) {
    errors.push(forbiddenField('spec.podCIDRs', only('podCIDR')));
  }
  if (textAt(before, 'providerID') !== '' && spec['providerID'] !== before['providerID']) {
    errors.push(forbiddenField('spec.providerID', only('providerID')));
  }
  for (const one of [spec, before]) for (const field of changeable) delete one[field];
  if (!equalJson(spec, before)) {
    errors.push(forbiddenField('spec', 'node updates may only change labels, taints, or capacity'));
  }
}

const changeable = ['podCIDR', 'podCIDRs', 'providerID', 'taints', 'unschedulable', 'configSource'];
