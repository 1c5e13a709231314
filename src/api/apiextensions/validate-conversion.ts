import {
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import { asObject, asText, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { dns1035Label } from '#apimachinery/names.ts';
import { checkWebhookClient } from '../builtin/validation/webhook-client.ts';
import { textsIn } from './crd.ts';

/** apiextensions validateCustomResourceConversion: the names are those of its internal type. */
export function validateConversion(conversion: JsonObject, errors: FieldError[]): void {
  const path = 'spec.conversion';
  const strategy = asText(conversion['strategy']);
  const webhook = asObject(conversion['webhook']);
  const { clientConfig, conversionReviewVersions } = webhook;
  const versions = textsIn(conversionReviewVersions);
  if (strategy === '') errors.push(required(`${path}.strategy`));
  else if (strategy !== 'None' && strategy !== 'Webhook') {
    errors.push(notSupported(`${path}.strategy`, strategy, ['None', 'Webhook']));
  }
  if (strategy === 'Webhook') {
    if (!isJsonObject(clientConfig)) {
      errors.push(required(`${path}.webhookClientConfig`, 'required when strategy is set to Webhook'));
    } else checkWebhookClient(errors, `${path}.webhookClientConfig`, clientConfig);
    validateReviewVersions(versions, `${path}.conversionReviewVersions`, errors);
    return;
  }
  const why = 'should not be set when strategy is not set to Webhook';
  if (isJsonObject(clientConfig)) errors.push(forbiddenField(`${path}.webhookClientConfig`, why));
  if (versions.length > 0) errors.push(forbiddenField(`${path}.conversionReviewVersions`, why));
}

function validateReviewVersions(versions: readonly string[], path: string, errors: FieldError[]): void {
  if (versions.length === 0) errors.push(required(path));
  versions.forEach((version, index) => {
    if (versions.indexOf(version) < index) {
      errors.push(invalid(`${path}[${index}]`, version, 'duplicate version'));
      return;
    }
    for (const wrong of dns1035Label(version)) errors.push(invalid(`${path}[${index}]`, version, wrong));
  });
  if (versions.length === 0 || versions.includes('v1')) return;
  // Kubernetes takes v1beta1 alone; we would never send it, and so say so now.
  const why = versions.includes('v1beta1') ? 'must include v1' : 'must include at least one of v1, v1beta1';
  errors.push(invalid(path, versions, why));
}
