import { duplicate, forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain, labelKey, labelValue } from '#apimachinery/names.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkName, checkOperatorValues, checkOptionalChoice, checkSelector, type Errors } from './common.ts';

/** Where pods may run: affinity, tolerations, spreading (source: core/validation validateAffinity and the like). */

const required_ = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';

export function checkAffinity(errors: Errors, path: string, affinity: JsonObject | undefined): void {
  if (affinity === undefined) return;
  const node = objectAt(affinity, 'nodeAffinity');
  if (node !== undefined) {
    const at = `${path}.nodeAffinity`;
    const selector = objectAt(node, required_);
    if (selector !== undefined) checkNodeSelector(errors, `${at}.${required_}`, selector);
    objectsAt(node, preferred).forEach((term, i) => {
      const termAt = `${at}.${preferred}[${i}]`;
      checkWeight(errors, `${termAt}.weight`, term);
      checkNodeTerm(errors, `${termAt}.preference`, objectAt(term, 'preference') ?? {}, false);
    });
  }
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    const terms = objectAt(affinity, kind);
    objectsAt(terms, required_).forEach((term, i) => {
      checkPodTerm(errors, `${path}.${kind}.${required_}[${i}]`, term);
    });
    objectsAt(terms, preferred).forEach((term, i) => {
      const at = `${path}.${kind}.${preferred}[${i}]`;
      checkWeight(errors, `${at}.weight`, term);
      checkPodTerm(errors, `${at}.podAffinityTerm`, objectAt(term, 'podAffinityTerm') ?? {});
    });
  }
}

function checkWeight(errors: Errors, field: string, term: JsonObject): void {
  const weight = numberAt(term, 'weight') ?? 0;
  if (weight <= 0 || weight > 100) errors.push(invalid(field, weight, 'must be in the range 1-100'));
}

/** core ValidateNodeSelector. */
export function checkNodeSelector(errors: Errors, path: string, selector: JsonObject): void {
  const terms = objectsAt(selector, 'nodeSelectorTerms');
  const at = `${path}.nodeSelectorTerms`;
  if (terms.length === 0) errors.push(required(at, 'must have at least one node selector term'));
  terms.forEach((term, i) => {
    checkNodeTerm(errors, `${at}[${i}]`, term, true);
  });
}

function checkNodeTerm(errors: Errors, path: string, term: JsonObject, strictValues: boolean): void {
  objectsAt(term, 'matchExpressions').forEach((one, i) => {
    checkNodeRequirement(errors, `${path}.matchExpressions[${i}]`, one, strictValues);
  });
  objectsAt(term, 'matchFields').forEach((one, i) => {
    const at = `${path}.matchFields[${i}]`;
    const values = textsAt(one, 'values');
    const operator = textAt(one, 'operator');
    if (operator !== 'In' && operator !== 'NotIn') {
      errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
    } else if (values.length !== 1) {
      errors.push(
        required(
          `${at}.values`,
          "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        ),
      );
    }
    const key = textAt(one, 'key');
    if (key !== 'metadata.name') {
      errors.push(invalid(`${at}.key`, key, 'not a valid field selector key'));
    } else
      values.forEach((value, j) => {
        checkName(errors, `${at}.values[${j}]`, value, dns1123Subdomain);
      });
  });
}

function checkNodeRequirement(errors: Errors, at: string, one: JsonObject, strictValues: boolean): void {
  const values = textsAt(one, 'values');
  const operator = textAt(one, 'operator');
  if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) {
      errors.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
  } else if (!checkOperatorValues(errors, at, operator, values)) {
    errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
  }
  checkName(errors, `${at}.key`, textAt(one, 'key'), labelKey);
  if (strictValues)
    values.forEach((value, i) => {
      checkName(errors, `${at}.values[${i}]`, value, labelValue);
    });
}

function checkPodTerm(errors: Errors, at: string, term: JsonObject): void {
  checkSelector(errors, `${at}.labelSelector`, objectAt(term, 'labelSelector'));
  checkSelector(errors, `${at}.namespaceSelector`, objectAt(term, 'namespaceSelector'));
  for (const name of textsAt(term, 'namespaces')) checkName(errors, `${at}.namespace`, name, dns1123Label);
  checkLabelKeys(errors, at, term);
  const topologyKey = textAt(term, 'topologyKey');
  if (topologyKey === '') errors.push(required(`${at}.topologyKey`, 'can not be empty'));
  checkName(errors, `${at}.topologyKey`, topologyKey, labelKey);
}

/** core ValidateMatchLabelKeysAndMismatchLabelKeys. */
function checkLabelKeys(errors: Errors, at: string, term: JsonObject): void {
  const selector = objectAt(term, 'labelSelector');
  const matched = textsAt(term, 'matchLabelKeys');
  const mismatched = textsAt(term, 'mismatchLabelKeys');
  for (const [field, keys] of [
    ['matchLabelKeys', matched],
    ['mismatchLabelKeys', mismatched],
  ] as const) {
    if (keys.length === 0) continue;
    if (selector === undefined) {
      errors.push(forbiddenField(`${at}.${field}`, 'must not be specified when labelSelector is not set'));
      continue;
    }
    keys.forEach((key, i) => {
      checkName(errors, `${at}.${field}[${i}]`, key, labelKey);
    });
  }
  const selected = new Set(Object.keys(objectAt(selector, 'matchLabels') ?? {}));
  for (const expression of objectsAt(selector, 'matchExpressions')) {
    const key = textAt(expression, 'key');
    const i = matched.lastIndexOf(key);
    if (i >= 0 && selected.has(key)) {
      errors.push(invalid(`${at}[${i}]`, key, 'exists in both matchLabelKeys and labelSelector'));
    }
    selected.add(key);
  }
  matched.forEach((key, i) => {
    if (mismatched.includes(key)) {
      errors.push(
        invalid(`${at}.matchLabelKeys[${i}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys'),
      );
    }
  });
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function checkTolerations(errors: Errors, path: string, holder: JsonObject): void {
  objectsAt(holder, 'tolerations').forEach((toleration, i) => {
    const at = `${path}[${i}]`;
    const key = textAt(toleration, 'key');
    const operator = textAt(toleration, 'operator');
    const value = textAt(toleration, 'value');
    const effect = textAt(toleration, 'effect');
    if (key !== '') checkName(errors, `${at}.key`, key, labelKey);
    else if (operator !== 'Exists') {
      errors.push(
        invalid(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (valueAt(toleration, 'tolerationSeconds') !== undefined && effect !== 'NoExecute') {
      errors.push(
        invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      );
    }
    checkOperator(errors, at, operator, value);
    if (effect !== '' && !taintEffects.includes(effect)) {
      errors.push(notSupported(`${at}.effect`, effect, taintEffects));
    }
  });
}

function checkOperator(errors: Errors, at: string, operator: string, value: string): void {
  switch (operator) {
    case 'Equal':
    case '': {
      const messages = labelValue(value);
      if (messages.length > 0) errors.push(invalid(`${at}.operator`, value, messages.join(';')));
      return;
    }
    case 'Exists':
      if (value !== '') {
        errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
      }
      return;
    case 'Lt':
    case 'Gt':
      // Behind a feature gate that is off by default.
      errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists', 'Lt', 'Gt']));
      return;
    default:
      errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']));
  }
}

export function checkSpreading(errors: Errors, path: string, spec: JsonObject): void {
  const constraints = objectsAt(spec, 'topologySpreadConstraints');
  constraints.forEach((constraint, i) => {
    const at = `${path}[${i}]`;
    const skew = numberAt(constraint, 'maxSkew') ?? 0;
    const key = textAt(constraint, 'topologyKey');
    const action = textAt(constraint, 'whenUnsatisfiable');
    if (skew <= 0) errors.push(invalid(`${at}.maxSkew`, skew, 'must be greater than zero'));
    if (key === '') errors.push(required(`${at}.topologyKey`, 'can not be empty'));
    if (action !== 'DoNotSchedule' && action !== 'ScheduleAnyway') {
      errors.push(notSupported(`${at}.whenUnsatisfiable`, action, ['DoNotSchedule', 'ScheduleAnyway']));
    }
    const repeated = constraints
      .slice(i + 1)
      .some((one) => textAt(one, 'topologyKey') === key && textAt(one, 'whenUnsatisfiable') === action);
    if (repeated) {
      errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${key}, ${action}}`));
    }
    const minDomains = numberAt(constraint, 'minDomains');
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.push(invalid(`${at}.minDomains`, minDomains, 'must be greater than zero'));
      if (action !== 'DoNotSchedule') {
        errors.push(
          invalid(
            `${at}.minDomains`,
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`,
          ),
        );
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy']) {
      checkOptionalChoice(errors, `${at}.${field}`, valueAt(constraint, field), ['Honor', 'Ignore']);
    }
    checkLabelKeys(errors, at, constraint);
    checkSelector(errors, `${at}.labelSelector`, objectAt(constraint, 'labelSelector'));
  });
}
