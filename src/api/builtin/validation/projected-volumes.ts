import { forbiddenField, invalid, notSupported, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import { checkNonReservedPath, checkSelector, type Errors, requireText } from './common.ts';
import { checkDownwardFile } from './downward-fields.ts';
import { checkSignerName } from './signers.ts';
import { checkKeyToPath, checkMode } from './volume-files.ts';

const keyTypes = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];

export function checkProjected(errors: Errors, path: string, source: JsonObject): void {
  checkMode(errors, `${path}.defaultMode`, numberAt(source, 'defaultMode'));
  const taken = new Set<string>();
  const claim = (file: string, shown: string) => {
    if (taken.has(file)) errors.push(invalid(path, shown, 'conflicting duplicate paths'));
    taken.add(file);
  };
  objectsAt(source, 'sources').forEach((one, i) => {
    const at = `${path}.sources[${i}]`;
    let count = 0;
    for (const kind of ['secret', 'configMap']) {
      const keys = objectAt(one, kind);
      if (keys === undefined) continue;
      count++;
      requireText(errors, `${at}.${kind}.name`, textAt(keys, 'name'));
      objectsAt(keys, 'items').forEach((item, j) => {
        checkKeyToPath(errors, `${at}.${kind}.items[${j}]`, item);
        if (textAt(item, 'path') !== '') claim(textAt(item, 'path'), textAt(keys, 'name'));
      });
    }
    const downward = objectAt(one, 'downwardAPI');
    if (downward !== undefined) {
      count++;
      for (const file of objectsAt(downward, 'items')) {
        checkDownwardFile(errors, `${at}.downwardAPI`, file);
        if (textAt(file, 'path') !== '') claim(textAt(file, 'path'), textAt(file, 'path'));
      }
    }
    const token = objectAt(one, 'serviceAccountToken');
    if (token !== undefined) {
      count++;
      checkToken(errors, path, `${at}.serviceAccountToken`, token);
    }
    const bundle = objectAt(one, 'clusterTrustBundle');
    if (bundle !== undefined) {
      count++;
      checkTrustBundle(errors, `${at}.clusterTrustBundle`, bundle);
      claim(textAt(bundle, 'path'), textAt(bundle, 'path'));
    }
    const certificate = objectAt(one, 'podCertificate');
    if (certificate !== undefined) {
      count++;
      checkPodCertificate(errors, `${at}.podCertificate`, certificate, claim);
    }
    if (count > 1) errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
  });
}

function checkToken(errors: Errors, path: string, at: string, token: JsonObject): void {
  const seconds = numberAt(token, 'expirationSeconds') ?? 0;
  if (seconds < 600) {
    errors.push(
      invalid(`${at}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'),
    );
  }
  if (seconds > 2 ** 32) {
    errors.push(
      invalid(`${at}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'),
    );
  }
  // Kubernetes tells these at the volume's own path.
  if (textAt(token, 'path') === '') errors.push(required(`${path}.path`));
  else checkNonReservedPath(errors, `${path}.path`, textAt(token, 'path'));
}

function checkTrustBundle(errors: Errors, at: string, bundle: JsonObject): void {
  const name = valueAt(bundle, 'name');
  const signer = valueAt(bundle, 'signerName');
  if (name !== undefined && signer !== undefined) {
    errors.push(invalid(at, bundle, 'only one of name and signerName may be used'));
  } else if (name !== undefined) {
    if (name === '') errors.push(required(`${at}.name`, 'must be a valid object name'));
    if (objectAt(bundle, 'labelSelector') !== undefined) {
      errors.push(
        invalid(
          `${at}.labelSelector`,
          bundle['labelSelector'],
          'labelSelector must be unset if name is specified',
        ),
      );
    }
  } else if (signer !== undefined) {
    if (signer === '') errors.push(required(`${at}.signerName`, 'must be a valid signer name'));
    checkSignerName(errors, `${at}.signerName`, textAt(bundle, 'signerName'));
    checkSelector(errors, `${at}.labelSelector`, objectAt(bundle, 'labelSelector'));
  } else errors.push(required(at, 'either name or signerName must be specified'));
  requireText(errors, `${at}.path`, textAt(bundle, 'path'));
  checkNonReservedPath(errors, `${at}.path`, textAt(bundle, 'path'));
}

function checkPodCertificate(
  errors: Errors,
  at: string,
  certificate: JsonObject,
  claim: (file: string, shown: string) => void,
): void {
  checkSignerName(errors, `${at}.signerName`, textAt(certificate, 'signerName'));
  if (!keyTypes.includes(textAt(certificate, 'keyType'))) {
    errors.push(notSupported(`${at}.keyType`, textAt(certificate, 'keyType'), keyTypes));
  }
  const seconds = numberAt(certificate, 'maxExpirationSeconds');
  if (seconds !== undefined && seconds < 3600) {
    errors.push(
      invalid(`${at}.maxExpirationSeconds`, seconds, 'if provided, maxExpirationSeconds must be >= 3600'),
    );
  }
  let count = 0;
  for (const field of ['credentialBundlePath', 'keyPath', 'certificateChainPath']) {
    const file = textAt(certificate, field);
    if (file === '') continue;
    count++;
    checkNonReservedPath(errors, `${at}.${field}`, file);
    claim(file, file);
  }
  if (count === 0) {
    errors.push(
      required(at, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'),
    );
  }
}
