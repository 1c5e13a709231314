import { duplicate, invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1035Label, dns1123Subdomain } from '#apimachinery/names.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkMatchConditions, checkRule, failurePolicies, matchPolicies } from './admission-matching.ts';
import { checkName, checkOptionalChoice, checkSelector, type Errors } from './common.ts';
import { type Rule, rule } from './rule.ts';
import { checkWebhookClient } from './webhook-client.ts';

export function webhookRule(mutates: boolean): Rule {
  return rule({
    always: (errors, configuration) => {
      const names = new Set<string>();
      objectsAt(configuration, 'webhooks').forEach((webhook, i) => {
        const at = `webhooks[${i}]`;
        const name = textAt(webhook, 'name');
        checkWebhook(errors, at, webhook, mutates);
        if (name !== '' && names.has(name)) errors.push(duplicate(`${at}.name`, name));
        names.add(name);
      });
    },
  });
}

const sideEffects = ['None', 'NoneOnDryRun'];

const reviewVersions = ['v1', 'v1beta1'];

function checkWebhook(errors: Errors, at: string, webhook: JsonObject, mutates: boolean): void {
  const name = textAt(webhook, 'name');
  const wrong = dns1123Subdomain(name);
  if (name === '') errors.push(required(`${at}.name`));
  else if (wrong.length > 0) errors.push(invalid(`${at}.name`, name, wrong.join(',')));
  else if (name.split('.').length < 3) {
    errors.push(
      invalid(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'),
    );
  }
  objectsAt(webhook, 'rules').forEach((one, i) => {
    checkRule(errors, `${at}.rules[${i}]`, one);
  });
  checkOptionalChoice(errors, `${at}.failurePolicy`, valueAt(webhook, 'failurePolicy'), failurePolicies);
  checkOptionalChoice(errors, `${at}.matchPolicy`, valueAt(webhook, 'matchPolicy'), matchPolicies);
  const effects = valueAt(webhook, 'sideEffects');
  if (effects === undefined) {
    errors.push(required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'));
  } else checkOptionalChoice(errors, `${at}.sideEffects`, effects, sideEffects);
  const timeout = numberAt(webhook, 'timeoutSeconds');
  if (timeout !== undefined && (timeout < 1 || timeout > 30)) {
    const why = 'the timeout value must be between 1 and 30 seconds';
    errors.push(invalid(`${at}.timeoutSeconds`, timeout, why));
  }
  checkSelector(errors, `${at}.namespaceSelector`, objectAt(webhook, 'namespaceSelector'));
  checkSelector(errors, `${at}.objectSelector`, objectAt(webhook, 'objectSelector'));
  checkWebhookClient(errors, `${at}.clientConfig`, objectAt(webhook, 'clientConfig') ?? {});
  checkMatchConditions(errors, `${at}.matchConditions`, webhook);
  if (mutates) {
    checkOptionalChoice(errors, `${at}.reinvocationPolicy`, valueAt(webhook, 'reinvocationPolicy'), [
      'IfNeeded',
      'Never',
    ]);
  }
  checkReviewVersions(errors, `${at}.admissionReviewVersions`, textsAt(webhook, 'admissionReviewVersions'));
}

function checkReviewVersions(errors: Errors, at: string, versions: readonly string[]): void {
  if (versions.length === 0) {
    errors.push(required(at, 'must specify one of v1, v1beta1'));
    return;
  }
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) errors.push(invalid(`${at}[${i}]`, version, 'duplicate version'));
    else checkName(errors, `${at}[${i}]`, version, dns1035Label);
  });
  if (!versions.some((version) => reviewVersions.includes(version))) {
    errors.push(invalid(at, versions, 'must include at least one of v1, v1beta1'));
  }
}
