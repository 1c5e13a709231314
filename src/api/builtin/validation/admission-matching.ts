import { duplicate, invalid, notSupported, required, tooMany } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { labelKey, pathSegmentName } from '#apimachinery/names.ts';
import { objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkName, checkOptionalChoice, checkSelector, type Errors } from './common.ts';

export const matchPolicies = ['Equivalent', 'Exact'];

export const failurePolicies = ['Fail', 'Ignore'];

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

const scopes = ['*', 'Cluster', 'Namespaced'];

const conditionsMax = 64;

export function checkRule(errors: Errors, at: string, one: JsonObject): void {
  const verbs = textsAt(one, 'operations');
  if (verbs.length === 0) errors.push(required(`${at}.operations`));
  if (verbs.length > 1 && verbs.includes('*')) {
    errors.push(invalid(`${at}.operations`, verbs, "if '*' is present, must not specify other operations"));
  }
  verbs.forEach((verb, i) => {
    if (!operations.includes(verb)) {
      errors.push(notSupported(`${at}.operations[${i}]`, verb, operations));
    }
  });
  for (const [field, what] of [
    ['apiGroups', 'API groups'],
    ['apiVersions', 'API versions'],
  ] as const) {
    const values = textsAt(one, field);
    if (values.length === 0) errors.push(required(`${at}.${field}`));
    if (values.length > 1 && values.includes('*')) {
      errors.push(invalid(`${at}.${field}`, values, `if '*' is present, must not specify other ${what}`));
    }
    if (field !== 'apiVersions') continue;
    values.forEach((version, i) => {
      if (version === '') errors.push(required(`${at}.apiVersions[${i}]`));
    });
  }
  checkResources(errors, `${at}.resources`, textsAt(one, 'resources'));
  checkOptionalChoice(errors, `${at}.scope`, valueAt(one, 'scope'), scopes);
}

function checkResources(errors: Errors, at: string, resources: readonly string[]): void {
  if (resources.length === 0) errors.push(required(at));
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  resources.forEach((resource, i) => {
    if (resource === '') {
      errors.push(required(`${at}[${i}]`));
      return;
    }
    const slash = resource.indexOf('/');
    if (slash < 0) return;
    const base = resource.slice(0, slash);
    const sub = resource.slice(slash + 1);
    const refuse = (present: string) =>
      errors.push(
        invalid(`${at}[${i}]`, resource, `if '${present}' is present, must not specify ${resource}`),
      );
    if (wholeResources.has(base)) refuse(`${base}/*`);
    if (wholeSubresources.has(sub)) refuse(`*/${sub}`);
    if (sub === '*') wholeResources.add(base);
    if (base === '*') wholeSubresources.add(sub);
  });
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalid(at, resources, "if '*/*' is present, must not specify other resources"));
  }
  // Of those without a slash the last one decides, in Kubernetes (validateResources).
  const plain = resources.filter((resource) => resource !== '' && !resource.includes('/'));
  if (plain.includes('*') && plain.at(-1) !== '*') {
    const why = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalid(at, resources, why));
  }
}

export function checkMatchConditions(errors: Errors, at: string, holder: JsonObject): void {
  const conditions = objectsAt(holder, 'matchConditions');
  if (conditions.length > conditionsMax) errors.push(tooMany(at, conditions.length, conditionsMax));
  const names = new Set<string>();
  conditions.forEach((condition, i) => {
    const name = textAt(condition, 'name');
    if (textAt(condition, 'expression').trim() === '') errors.push(required(`${at}[${i}].expression`));
    if (name === '') errors.push(required(`${at}[${i}].name`));
    else checkName(errors, `${at}[${i}].name`, name, labelKey);
    if (name !== '' && names.has(name)) errors.push(duplicate(`${at}[${i}].name`, name));
    names.add(name);
  });
}

export function checkMatchResources(errors: Errors, at: string, resources: JsonObject): void {
  checkOptionalChoice(errors, `${at}.matchPolicy`, valueAt(resources, 'matchPolicy'), matchPolicies);
  checkSelector(errors, `${at}.namespaceSelector`, objectAt(resources, 'namespaceSelector'));
  checkSelector(errors, `${at}.objectSelector`, objectAt(resources, 'objectSelector'));
  for (const field of ['resourceRules', 'excludeResourceRules']) {
    objectsAt(resources, field).forEach((one, i) => {
      const path = `${at}.${field}[${i}]`;
      const names = textsAt(one, 'resourceNames');
      names.forEach((name, j) => {
        checkName(errors, `${path}.resourceNames[${j}]`, name, pathSegmentName);
        if (names.indexOf(name) < j) errors.push(duplicate(`${path}.resourceNames[${j}]`, name));
      });
      checkRule(errors, path, one);
    });
  }
}
