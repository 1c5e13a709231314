import {
  forbiddenField,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkImmutable, checkInterfaceAddress, checkRequiredName, type Errors } from './common.ts';
import {
  checkBindingConditions,
  checkFullyQualifiedName,
  checkPoolName,
  checkSet,
  checkShortName,
  checkTolerations,
} from './device-names.ts';
import { checkDeviceSelectors } from './device-selectors.ts';
import { checkNodeSelector } from './scheduling.ts';
import { checkStatusConditions } from './status-conditions.ts';
import { checkDriverName } from './volume-sources.ts';

/** ResourceClaims and what their templates and classes share with them (source: Kubernetes' pkg/apis/resource/validation). */

const requestsMax = 32;
const constraintsMax = 32;
const configsMax = 32;
const alternativesMax = 8;
const consumersMax = 256;
const resultsMax = 32;
const parametersBytesMax = 10 * 1024;
const conditionsMax = 8;
const interfaceNameBytesMax = 256;
const hardwareAddressBytesMax = 128;
const addressesMax = 16;

/** Names of requests, each with the names of its alternatives. */
type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

function requestNamesOf(spec: JsonObject | undefined): RequestNames {
  return new Map(
    objectsAt(spec, 'devices', 'requests').map((request) => [
      textAt(request, 'name'),
      new Set(objectsAt(request, 'firstAvailable').map((one) => textAt(one, 'name'))),
    ]),
  );
}

export function checkDeviceClaimSpec(errors: Errors, path: string, spec: JsonObject | undefined): void {
  const devices = objectAt(spec, 'devices');
  const at = `${path}.devices`;
  const names = requestNamesOf(spec);
  const nameOf = (request: JsonObject) => textAt(request, 'name');
  checkSet(errors, `${at}.requests`, objectsAt(devices, 'requests'), requestsMax, nameOf, (request, where) =>
    checkRequest(errors, where, request),
  );
  const constraints = objectsAt(devices, 'constraints');
  if (constraints.length > constraintsMax) {
    errors.push(tooMany(`${at}.constraints`, constraints.length, constraintsMax));
  } else
    constraints.forEach((one, i) => {
      checkConstraint(errors, `${at}.constraints[${i}]`, one, names);
    });
  checkConfigs(errors, `${at}.config`, objectsAt(devices, 'config'), configsMax, names);
}

function checkRequest(errors: Errors, at: string, request: JsonObject): void {
  checkShortName(errors, `${at}.name`, textAt(request, 'name'));
  const alternatives = objectsAt(request, 'firstAvailable');
  const exactly = objectAt(request, 'exactly');
  const oneOf = 'exactly one of `exactly` or `firstAvailable` is required';
  if (alternatives.length > 0 && exactly !== undefined) {
    errors.push(invalid(at, undefined, `${oneOf}, but multiple fields are set`));
  } else if (exactly !== undefined) checkDevices(errors, `${at}.exactly`, exactly);
  else if (alternatives.length === 0) errors.push(required(at, oneOf));
  else {
    const nameOf = (one: JsonObject) => textAt(one, 'name');
    checkSet(errors, `${at}.firstAvailable`, alternatives, alternativesMax, nameOf, (one, where) => {
      checkShortName(errors, `${where}.name`, textAt(one, 'name'));
      checkDevices(errors, where, one);
    });
  }
}

/** What devices are asked for, and how many. */
function checkDevices(errors: Errors, at: string, request: JsonObject): void {
  checkRequiredName(errors, `${at}.deviceClassName`, textAt(request, 'deviceClassName'), dns1123Subdomain);
  checkDeviceSelectors(errors, at, request);
  const mode = textAt(request, 'allocationMode');
  const count = numberAt(request, 'count') ?? 0;
  if (mode === 'All') {
    if (count !== 0) {
      errors.push(invalid(`${at}.count`, count, "must not be specified when allocationMode is 'All'"));
    }
  } else if (mode === 'ExactCount') {
    if (count <= 0) errors.push(invalid(`${at}.count`, count, 'must be greater than zero'));
  } else errors.push(notSupported(`${at}.allocationMode`, mode, ['All', 'ExactCount']));
  checkTolerations(errors, at, request);
}

function checkConstraint(errors: Errors, at: string, constraint: JsonObject, names: RequestNames): void {
  checkRequestRefs(errors, `${at}.requests`, textsAt(constraint, 'requests'), names);
  const [match, distinct] = [valueAt(constraint, 'matchAttribute'), valueAt(constraint, 'distinctAttribute')];
  if (match !== undefined) checkFullyQualifiedName(errors, `${at}.matchAttribute`, String(match));
  else if (distinct !== undefined) {
    checkFullyQualifiedName(errors, `${at}.distinctAttribute`, String(distinct));
  } else {
    const why =
      'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    errors.push(required(at, why));
  }
}

function checkRequestRefs(errors: Errors, at: string, refs: readonly string[], names: RequestNames): void {
  checkSet(errors, at, refs, requestsMax, String, (ref, where) => checkRequestRef(errors, where, ref, names));
}

function checkRequestRef(errors: Errors, at: string, ref: string, names: RequestNames): void {
  const segments = ref.split('/');
  if (segments.length <= 2) for (const one of segments) checkShortName(errors, at, one);
  const [request = '', alternative] = segments;
  const alternatives = segments.length > 2 ? undefined : names.get(request);
  if (alternatives === undefined || (alternative !== undefined && !alternatives.has(alternative))) {
    const why =
      "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
    errors.push(invalid(at, ref, why));
  }
}

/** Configuration for drivers. `names`: which requests it may be for; undefined where it is for none in particular. */
export function checkConfigs(
  errors: Errors,
  at: string,
  configs: readonly JsonObject[],
  max: number,
  names: RequestNames | undefined,
  isStored = false,
): void {
  if (configs.length > max) {
    errors.push(tooMany(at, configs.length, max));
    return;
  }
  configs.forEach((config, i) => {
    const where = `${at}[${i}]`;
    if (names !== undefined)
      checkRequestRefs(errors, `${where}.requests`, textsAt(config, 'requests'), names);
    const opaque = objectAt(config, 'opaque');
    if (opaque === undefined) {
      errors.push(required(`${where}.opaque`));
      return;
    }
    checkDriverName(errors, `${where}.opaque.driver`, textAt(opaque, 'driver'));
    checkRaw(errors, `${where}.opaque.parameters`, opaque['parameters'], isStored);
  });
}

/** Raw JSON that must be an object. */
function checkRaw(errors: Errors, at: string, value: JsonObject[string], isStored: boolean): void {
  if (value === undefined || value === null) errors.push(required(at));
  else if (!isStored && Buffer.byteLength(JSON.stringify(value)) > parametersBytesMax) {
    errors.push(tooLong(at, parametersBytesMax));
  } else if (!isJsonObject(value)) errors.push(invalid(at, '<value omitted>', 'must be a valid JSON object'));
}

/** A status that is written on its own. */
export function checkDeviceClaimStatus(errors: Errors, claim: KubeObject, old: KubeObject): void {
  const status = objectAt(claim, 'status');
  const allocation = objectAt(status, 'allocation');
  const before = objectAt(old, 'status', 'allocation');
  const consumers = objectsAt(status, 'reservedFor');
  checkSet(
    errors,
    'status.reservedFor',
    consumers,
    consumersMax,
    (one) => textAt(one, 'uid'),
    (one, at) => {
      for (const field of ['resource', 'name', 'uid']) {
        if (textAt(one, field) === '') errors.push(required(`${at}.${field}`));
      }
    },
  );
  checkDeviceStatuses(errors, status, allocation);
  if (consumers.length > 0 && allocation === undefined) {
    errors.push(forbiddenField('status.reservedFor', 'may not be specified when `allocated` is not set'));
  } else if (claim.metadata.deletionTimestamp !== undefined) {
    const known = new Set(objectsAt(old, 'status', 'reservedFor').map((one) => JSON.stringify(one)));
    if (consumers.some((one) => !known.has(JSON.stringify(one)))) {
      const why = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
      errors.push(forbiddenField('status.reservedFor', why));
    }
  }
  if (allocation === undefined) return;
  // What was allocated once is not looked at again: rules for new results are stricter than they were.
  if (before !== undefined) checkImmutable(errors, 'status.allocation', allocation, before);
  else checkAllocation(errors, 'status.allocation', allocation, requestNamesOf(objectAt(claim, 'spec')));
}

function checkAllocation(errors: Errors, at: string, allocation: JsonObject, names: RequestNames): void {
  const results = objectsAt(allocation, 'devices', 'results');
  const where = `${at}.devices.results`;
  if (results.length > resultsMax) errors.push(tooMany(where, results.length, resultsMax));
  else {
    results.forEach((result, i) => {
      checkRequestRef(errors, `${where}[${i}].request`, textAt(result, 'request'), names);
      checkDevice(errors, `${where}[${i}]`, result);
      checkBindingConditions(errors, `${where}[${i}]`, result);
    });
  }
  const configs = objectsAt(allocation, 'devices', 'config');
  const configAt = `${at}.devices.config`;
  if (configs.length <= 2 * configsMax) {
    configs.forEach((config, i) => {
      const source = textAt(config, 'source');
      if (source === '') errors.push(required(`${configAt}[${i}].source`));
      else if (source !== 'FromClaim' && source !== 'FromClass') {
        errors.push(notSupported(`${configAt}[${i}].source`, source, ['FromClaim', 'FromClass']));
      }
    });
  }
  checkConfigs(errors, configAt, configs, 2 * configsMax, names);
  const selector = objectAt(allocation, 'nodeSelector');
  if (selector !== undefined) checkNodeSelector(errors, `${at}.nodeSelector`, selector);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Other ways to write a UUID: without dashes, in braces, as a URN. */
const looseUuid = /^(?:urn:uuid:)?\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$/i;

function uuidFault(text: string): string {
  if (![32, 36, 38, 45].includes(text.length)) {
    return `error validating uid: invalid UUID length: ${Buffer.byteLength(text)}`;
  }
  return looseUuid.test(text)
    ? 'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters'
    : 'error validating uid: invalid UUID format';
}

/** Driver, pool, device and share. */
function checkDevice(errors: Errors, at: string, device: JsonObject): void {
  checkDriverName(errors, `${at}.driver`, textAt(device, 'driver'));
  checkPoolName(errors, `${at}.pool`, textAt(device, 'pool'));
  checkShortName(errors, `${at}.device`, textAt(device, 'device'));
  const share = valueAt(device, 'shareID');
  if (typeof share === 'string' && !uuid.test(share))
    errors.push(invalid(`${at}.shareID`, share, uuidFault(share)));
}

function deviceKey(device: JsonObject): string {
  const share = textAt(device, 'shareID');
  const key = ['driver', 'pool', 'device'].map((field) => textAt(device, field)).join('/');
  return share === '' ? key : `${key}/${share}`;
}

function checkDeviceStatuses(
  errors: Errors,
  status: JsonObject | undefined,
  allocation: JsonObject | undefined,
): void {
  const allocated = new Set(objectsAt(allocation, 'devices', 'results').map(deviceKey));
  const devices = objectsAt(status, 'devices');
  checkSet(errors, 'status.devices', devices, Number.POSITIVE_INFINITY, deviceKey, (device, at) => {
    checkDevice(errors, at, device);
    if (!allocated.has(deviceKey(device))) {
      errors.push(invalid(at, deviceKey(device), 'must be an allocated device in the claim'));
    }
    checkStatusConditions(errors, `${at}.conditions`, objectsAt(device, 'conditions'), conditionsMax);
    const data = device['data'];
    if (data !== undefined && data !== null) checkRaw(errors, `${at}.data`, data, false);
    checkNetworkData(errors, `${at}.networkData`, objectAt(device, 'networkData'));
  });
}

function checkNetworkData(errors: Errors, at: string, data: JsonObject | undefined): void {
  if (data === undefined) return;
  for (const [field, max] of [
    ['interfaceName', interfaceNameBytesMax],
    ['hardwareAddress', hardwareAddressBytesMax],
  ] as const) {
    if (Buffer.byteLength(textAt(data, field)) > max) errors.push(tooLong(`${at}.${field}`, max));
  }
  checkSet(errors, `${at}.ips`, textsAt(data, 'ips'), addressesMax, String, (address, where) =>
    checkInterfaceAddress(errors, where, address),
  );
}
