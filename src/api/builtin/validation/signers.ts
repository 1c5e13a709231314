import { invalid, required, tooLong } from '#apimachinery/field-error.ts';
import {
  dns1123Label,
  dns1123LabelBytesMax,
  dns1123Subdomain,
  dns1123SubdomainBytesMax,
  type NameValidator,
} from '#apimachinery/names.ts';
import type { Errors } from './common.ts';

/** The domain, a slash, and a path that can hold a DNS label, a dot and a DNS subdomain. */
const nameBytesMax = 2 * dns1123SubdomainBytesMax + dns1123LabelBytesMax + 2;

/** `example.com/my-signer`: a domain of two labels at least and a path of DNS names (core ValidateSignerName). */
export function checkSignerName(errors: Errors, field: string, signer: string): void {
  if (signer === '') {
    errors.push(required(field));
    return;
  }
  const parts = signer.split('/');
  if (parts.length !== 2) {
    errors.push(
      invalid(
        field,
        signer,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    );
    return;
  }
  const [domain = '', path = ''] = parts;
  if (domain.length > dns1123SubdomainBytesMax) errors.push(tooLong(field, dns1123SubdomainBytesMax));
  checkParts(errors, field, domain, dns1123Label);
  if (!domain.includes('.')) {
    errors.push(invalid(field, domain, 'should be a domain with at least two segments separated by dots'));
  }
  checkParts(errors, field, path, dns1123Subdomain);
  if (Buffer.byteLength(signer) > nameBytesMax) errors.push(tooLong(field, nameBytesMax));
}

/** The first part that is no name; later ones could not be told from it. */
function checkParts(errors: Errors, field: string, whole: string, validator: NameValidator): void {
  for (const part of whole.split('.')) {
    const messages = validator(part);
    for (const message of messages) {
      errors.push(invalid(field, whole, `validating label ${JSON.stringify(part)}: ${message}`));
    }
    if (messages.length > 0) return;
  }
}
