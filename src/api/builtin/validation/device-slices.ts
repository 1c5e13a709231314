import { invalid, required, tooLong, tooMany } from '#apimachinery/field-error.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import { compareQuantity, isQuantity, parseQuantity, zeroQuantity } from '#apimachinery/quantity.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, valueAt } from '../read.ts';
import { checkImmutable, checkName, type Errors, keyPath, notFoundField } from './common.ts';
import { checkCapacity } from './device-capacity.ts';
import {
  checkBindingConditions,
  checkPoolName,
  checkQualifiedName,
  checkSet,
  checkShortName,
  checkTaint,
} from './device-names.ts';
import { isNative } from './resources.ts';
import { checkNodeSelector } from './scheduling.ts';
import { checkDriverName } from './volume-sources.ts';

/** ResourceSlices: the devices of one driver in one pool (source: Kubernetes' pkg/apis/resource/validation). */

const devicesMax = 128;
/** Of slices whose devices have taints, lists of values, or counters that they consume. */
const advancedDevicesMax = 64;
const counterSetsMax = 8;
const countersMax = 32;
const consumptionsMax = 2;
const attributesMax = 32;
const attributeValuesMax = 48;
const valueBytesMax = 64;
const taintsMax = 16;

export function checkSliceSpec(errors: Errors, spec: JsonObject, old: JsonObject | undefined): void {
  checkDriverName(errors, 'spec.driver', textAt(spec, 'driver'));
  checkPool(errors, objectAt(spec, 'pool'));
  if (old !== undefined) {
    const pool = (one: JsonObject) => textAt(one, 'pool', 'name');
    checkImmutable(errors, 'spec.pool.name', pool(spec), pool(old));
    for (const field of ['driver', 'nodeName'])
      checkImmutable(errors, `spec.${field}`, spec[field], old[field]);
  }
  checkSliceNodes(errors, spec);
  const devices = objectsAt(spec, 'devices');
  const sets = objectsAt(spec, 'sharedCounters');
  if (Array.isArray(spec['devices']) && Array.isArray(spec['sharedCounters'])) {
    errors.push(invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed'));
  }
  const oldDevices = new Map(objectsAt(old, 'devices').map((one) => [textAt(one, 'name'), one]));
  const perDevice = booleanAt(spec, 'perDeviceNodeSelection') === true;
  const max = devices.some(isAdvanced) ? advancedDevicesMax : devicesMax;
  const nameOf = (one: JsonObject) => textAt(one, 'name');
  checkSet(errors, 'spec.devices', devices, max, nameOf, (device, at) => {
    checkSliceDevice(errors, at, device, oldDevices.get(nameOf(device)), perDevice);
  });
  checkSet(errors, 'spec.sharedCounters', sets, counterSetsMax, nameOf, (set, at) => {
    checkCounterSet(errors, at, 'name', set);
  });
}

function checkPool(errors: Errors, pool: JsonObject | undefined): void {
  checkPoolName(errors, 'spec.pool.name', textAt(pool, 'name'));
  const count = numberAt(pool, 'resourceSliceCount') ?? 0;
  if (count <= 0) errors.push(invalid('spec.pool.resourceSliceCount', count, 'must be greater than zero'));
  const generation = numberAt(pool, 'generation') ?? 0;
  if (generation < 0) {
    errors.push(invalid('spec.pool.generation', generation, 'must be greater than or equal to zero'));
  }
}

function isAdvanced(device: JsonObject): boolean {
  if (objectsAt(device, 'taints').length > 0 || objectsAt(device, 'consumesCounters').length > 0) return true;
  return Object.values(objectAt(device, 'attributes') ?? {}).some(
    (attribute) => isJsonObject(attribute) && listFields.some((field) => attribute[field] !== undefined),
  );
}

/** Which nodes see the devices: one of four ways to say it. */
function checkSliceNodes(errors: Errors, spec: JsonObject): void {
  const ways = checkNodeFields(errors, 'spec', spec, 'must be either unset or set to a non-empty string');
  const selector = objectAt(spec, 'nodeSelector');
  if (selector !== undefined && objectsAt(selector, 'nodeSelectorTerms').length !== 1) {
    const at = 'spec.nodeSelector.nodeSelectorTerms';
    errors.push(invalid(at, selector['nodeSelectorTerms'], 'must have exactly one node selector term'));
  }
  const perDevice = valueAt(spec, 'perDeviceNodeSelection');
  if (perDevice === true) ways.push('`perDeviceNodeSelection`');
  else if (perDevice !== undefined) {
    errors.push(invalid('spec.perDeviceNodeSelection', perDevice, 'must be either unset or set to true'));
  }
  const all = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (ways.length === 0) errors.push(required('spec', all));
  else if (ways.length > 1) {
    errors.push(invalid('spec', `{${ways.join(', ')}}`, `${all}, but multiple fields are set`));
  }
}

/** nodeName, nodeSelector, allNodes; returns those that are set. */
function checkNodeFields(errors: Errors, path: string, holder: JsonObject, whenEmpty: string): string[] {
  const ways: string[] = [];
  const name = valueAt(holder, 'nodeName');
  if (name === '') errors.push(invalid(`${path}.nodeName`, name, whenEmpty));
  else if (typeof name === 'string') {
    ways.push('`nodeName`');
    checkName(errors, `${path}.nodeName`, name, dns1123Subdomain);
  }
  const selector = objectAt(holder, 'nodeSelector');
  if (selector !== undefined) {
    ways.push('`nodeSelector`');
    checkNodeSelector(errors, `${path}.nodeSelector`, selector);
  }
  const all = valueAt(holder, 'allNodes');
  if (all === true) ways.push('`allNodes`');
  else if (all !== undefined) {
    errors.push(invalid(`${path}.allNodes`, all, 'must be either unset or set to true'));
  }
  return ways;
}

function checkSliceDevice(
  errors: Errors,
  at: string,
  device: JsonObject,
  old: JsonObject | undefined,
  perDevice: boolean,
): void {
  checkShortName(errors, `${at}.name`, textAt(device, 'name'));
  const attributes = objectAt(device, 'attributes') ?? {};
  const capacity = objectAt(device, 'capacity') ?? {};
  const properties = Object.keys(attributes).length + Object.keys(capacity).length;
  if (properties > attributesMax) {
    const why = `the total number of attributes and capacities must not exceed ${attributesMax}`;
    errors.push(invalid(at, properties, why));
  }
  const values = Object.values(attributes).reduce<number>((sum, one) => sum + valuesOf(one), 0);
  if (values > attributeValuesMax) {
    const why = `the total number of attribute values must not exceed ${attributeValuesMax}`;
    errors.push(invalid(at, values, why));
  }
  for (const name in attributes) {
    checkQualifiedName(errors, `${at}.attributes`, name);
    checkAttribute(errors, keyPath(`${at}.attributes`, name), attributes[name]);
  }
  const isShared = booleanAt(device, 'allowMultipleAllocations') === true;
  for (const name in capacity) {
    checkQualifiedName(errors, `${at}.capacity`, name);
    checkCapacity(errors, keyPath(`${at}.capacity`, name), capacity[name], isShared);
  }
  checkTaints(errors, `${at}.taints`, device, old);
  const setOf = (one: JsonObject) => textAt(one, 'counterSet');
  const consumed = objectsAt(device, 'consumesCounters');
  checkSet(errors, `${at}.consumesCounters`, consumed, consumptionsMax, setOf, (one, where) => {
    checkCounterSet(errors, where, 'counterSet', one);
  });
  checkDeviceNodes(errors, at, device, perDevice);
  checkBindingConditions(errors, at, device);
  checkMappings(errors, `${at}.nodeAllocatableResourceMappings`, device, capacity);
}

function checkTaints(errors: Errors, at: string, device: JsonObject, old: JsonObject | undefined): void {
  // What is the same as before may be what an older release allowed.
  if (old !== undefined && equalJson(old['taints'], device['taints'])) return;
  const taints = objectsAt(device, 'taints');
  if (taints.length > taintsMax) errors.push(tooMany(at, taints.length, taintsMax));
  else
    taints.forEach((taint, i) => {
      checkTaint(errors, `${at}[${i}]`, taint);
    });
}

function checkDeviceNodes(errors: Errors, at: string, device: JsonObject, perDevice: boolean): void {
  if (!perDevice) {
    if (['nodeName', 'nodeSelector', 'allNodes'].some((field) => valueAt(device, field) !== undefined)) {
      const why =
        '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
      errors.push(invalid(at, undefined, why));
    }
    return;
  }
  const ways = checkNodeFields(errors, at, device, 'must not be empty');
  const all =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (ways.length === 0) errors.push(required(at, all));
  else if (ways.length > 1) errors.push(invalid(at, `{${ways.join(', ')}}`, all));
}

/** A set of counters, or what a device takes of one. */
function checkCounterSet(errors: Errors, at: string, nameField: string, set: JsonObject): void {
  const name = textAt(set, nameField);
  if (name === '') errors.push(required(`${at}.${nameField}`));
  else checkShortName(errors, `${at}.${nameField}`, name);
  const counters = Object.keys(objectAt(set, 'counters') ?? {});
  if (counters.length === 0) errors.push(required(`${at}.counters`));
  else if (counters.length > countersMax) {
    errors.push(tooMany(`${at}.counters`, counters.length, countersMax));
  } else for (const one of counters) checkShortName(errors, `${at}.counters`, one);
}

const scalarFields = ['bool', 'int', 'string', 'version'] as const;
const listFields = ['bools', 'ints', 'strings', 'versions'] as const;

function valuesOf(attribute: JsonValue | undefined): number {
  if (!isJsonObject(attribute)) return 1;
  let count = 0;
  for (const field of listFields) {
    const list = attribute[field];
    if (Array.isArray(list)) count += list.length;
  }
  return count === 0 ? 1 : count;
}

const numeric = '(0|[1-9]\\d*)';
const preRelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const build = '[0-9a-zA-Z-]+';
const semanticVersion = new RegExp(
  `^${numeric}\\.${numeric}\\.${numeric}(-${preRelease}(\\.${preRelease})*)?(\\+${build}(\\.${build})*)?$`,
);
/** Longer ones are refused for their length alone: the pattern is not asked about them. */
const versionTextMax = 1024;

function checkAttribute(errors: Errors, at: string, attribute: JsonValue | undefined): void {
  const fields = [...scalarFields, ...listFields].filter((field) => valueAt(attribute, field) !== undefined);
  for (const field of fields) {
    const value = valueAt(attribute, field);
    if (!Array.isArray(value)) checkAttributeValue(errors, `${at}.${field}`, field, value);
    else if (value.length === 0)
      errors.push(invalid(`${at}.${field}`, value, 'must not be empty if specified'));
    else
      value.forEach((one, i) => {
        checkAttributeValue(errors, `${at}.${field}[${i}]`, field, one);
      });
  }
  if (fields.length !== 1) {
    errors.push(invalid(at, fields.length === 0 ? '' : attribute, 'exactly one value must be specified'));
  }
}

function checkAttributeValue(errors: Errors, at: string, field: string, value: JsonValue | undefined): void {
  if (typeof value !== 'string') return;
  const isVersion = field.startsWith('version');
  if (isVersion && (value.length > versionTextMax || !semanticVersion.test(value))) {
    errors.push(invalid(at, value, 'must be a string compatible with semver.org spec 2.0.0'));
  }
  if (Buffer.byteLength(value) > valueBytesMax) errors.push(tooLong(at, valueBytesMax));
}

/** What of a node's own resources a device takes (KEP-5517). */
function checkMappings(errors: Errors, path: string, device: JsonObject, capacity: JsonObject): void {
  const mappings = objectAt(device, 'nodeAllocatableResourceMappings');
  for (const name in mappings) {
    const at = keyPath(path, name);
    const mapping = mappings[name];
    if (!isNative(name)) errors.push(invalid(at, name, 'must be a node allocatable resource name'));
    const multiplier = valueAt(mapping, 'allocationMultiplier');
    const key = valueAt(mapping, 'capacityKey');
    if (multiplier === undefined && key === undefined) {
      errors.push(invalid(at, '', 'at least one of allocationMultiplier or capacityKey must be set'));
      continue;
    }
    if (typeof multiplier === 'string' && isQuantity(multiplier)) {
      const isPositive = compareQuantity(parseQuantity(multiplier), zeroQuantity) > 0;
      if (!isPositive) errors.push(invalid(`${at}.allocationMultiplier`, multiplier, 'must be positive'));
    }
    if (key === '') {
      errors.push(invalid(`${at}.capacityKey`, '', 'capacityKey must not be an empty string'));
    } else if (typeof key === 'string' && !Object.hasOwn(capacity, key)) {
      errors.push(notFoundField(`${at}.capacityKey`, key));
    }
  }
}

/** A policy of one taint for many devices. */
export function checkTaintRuleSpec(errors: Errors, spec: JsonObject, old: JsonObject | undefined): void {
  const selector = objectAt(spec, 'deviceSelector');
  const at = 'spec.deviceSelector';
  const [driver, pool, device] = ['driver', 'pool', 'device'].map((field) => valueAt(selector, field));
  if (typeof driver === 'string') checkDriverName(errors, `${at}.driver`, driver);
  if (typeof pool === 'string') checkPoolName(errors, `${at}.pool`, pool);
  if (typeof device === 'string') checkShortName(errors, `${at}.device`, device);
  const taint = objectAt(spec, 'taint') ?? {};
  const keepsEffect = old !== undefined && textAt(old, 'taint', 'effect') === textAt(taint, 'effect');
  checkTaint(errors, 'spec.taint', taint, keepsEffect);
}
