import { invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { booleanAt, numberAt, objectAt, textAt, valueAt } from '../read.ts';
import { type Errors, requireText } from './common.ts';

const lunMax = 255;
const anyPrefix = 'must be valid format starting with iqn, eui, or naa';
const wrong = 'must be valid format';
/** By prefix, what a qualified name looks like (RFC 3720 3.2.6.3, as core/validation reads it). */
const formats: readonly (readonly [prefix: string, pattern: RegExp])[] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.([0-9A-Za-z\-.]+)(:[^,;*&$|\s]+)$/],
  ['eui', /^eui.[0-9A-Za-z]{16}$/],
  ['naa', /^naa.[0-9A-Za-z]{32}$/],
];

/** core validateISCSIVolumeSource; `isPersistent`: validateISCSIPersistentVolumeSource, which words some of it otherwise. */
export function checkIscsi(errors: Errors, path: string, source: JsonObject, isPersistent: boolean): void {
  requireText(errors, `${path}.targetPortal`, textAt(source, 'targetPortal'));
  const name = textAt(source, 'iqn');
  if (name === '') errors.push(required(`${path}.iqn`));
  else checkQualifiedName(errors, `${path}.iqn`, name, isPersistent ? wrong : anyPrefix);
  const lun = numberAt(source, 'lun') ?? 0;
  if (lun < 0 || lun > lunMax)
    errors.push(invalid(`${path}.lun`, lun, `must be between 0 and ${lunMax}, inclusive`));
  const asksSecret =
    booleanAt(source, 'chapAuthDiscovery') === true || booleanAt(source, 'chapAuthSession') === true;
  const secret = objectAt(source, 'secretRef');
  if (asksSecret && secret === undefined) errors.push(required(`${path}.secretRef`));
  if (isPersistent && secret !== undefined)
    requireText(errors, `${path}.secretRef.name`, textAt(secret, 'name'));
  const initiator = valueAt(source, 'initiatorName');
  if (typeof initiator === 'string')
    checkQualifiedName(errors, `${path}.initiatorname`, initiator, isPersistent ? wrong : anyPrefix);
}

function checkQualifiedName(errors: Errors, at: string, name: string, unknown: string): void {
  const format = formats.find(([prefix]) => name.startsWith(prefix));
  if (format === undefined) errors.push(invalid(at, name, unknown));
  else if (!format[1].test(name)) errors.push(invalid(at, name, wrong));
}
