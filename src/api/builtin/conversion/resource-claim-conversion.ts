import type { JsonObject } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Conversion } from '#apimachinery/resource-definition.ts';
import { objectAt, objectsAt } from '../read.ts';

/**
 * resource.k8s.io/v1beta1 ↔ v1: a device request's own fields moved into `exactly`, a device's `basic` fields moved up
 * (source: Kubernetes' pkg/apis/resource/v1beta1/conversion.go).
 */
export const resourceClaimConversion: Conversion = between((spec, direction) =>
  convertRequests(spec, direction),
);

export const resourceClaimTemplateConversion: Conversion = between((spec, direction) => {
  const claimSpec = objectAt(spec, 'spec');
  return claimSpec === undefined ? spec : { ...spec, spec: convertRequests(claimSpec, direction) };
});

export const resourceSliceConversion: Conversion = between((spec, direction) => {
  if (!Array.isArray(spec['devices'])) return spec;
  const devices = objectsAt(spec, 'devices');
  return { ...spec, devices: devices.map(direction === 'toV1' ? deviceToV1 : deviceToV1beta1) };
});

type Direction = 'toV1' | 'toV1beta1';

function between(convertSpec: (spec: JsonObject, direction: Direction) => JsonObject): Conversion {
  const convert = (object: KubeObject, apiVersion: string, direction: Direction): KubeObject => {
    if (object.apiVersion === apiVersion) return object;
    const spec = objectAt(object, 'spec');
    return spec === undefined
      ? { ...object, apiVersion }
      : { ...object, apiVersion, spec: convertSpec(spec, direction) };
  };
  return {
    toStorage: (object) => convert(object, 'resource.k8s.io/v1', 'toV1'),
    fromStorage: (object) => convert(object, 'resource.k8s.io/v1beta1', 'toV1beta1'),
  };
}

const exactFields = [
  'deviceClassName',
  'selectors',
  'allocationMode',
  'count',
  'adminAccess',
  'tolerations',
  'capacity',
] as const;

function convertRequests(spec: JsonObject, direction: Direction): JsonObject {
  const devices = objectAt(spec, 'devices');
  if (devices === undefined || !Array.isArray(devices['requests'])) return spec;
  const requests = objectsAt(devices, 'requests').map(direction === 'toV1' ? requestToV1 : requestToV1beta1);
  return { ...spec, devices: { ...devices, requests } };
}

function requestToV1(request: JsonObject): JsonObject {
  const converted: JsonObject = { ...request };
  const exactly: JsonObject = {};
  for (const field of exactFields) {
    // A request that lists alternatives has an empty class in v1beta1, whose field is not optional in Go.
    if (request[field] !== undefined && request[field] !== '') exactly[field] = request[field];
    delete converted[field];
  }
  if (Object.keys(exactly).length > 0) converted['exactly'] = exactly;
  return converted;
}

function requestToV1beta1(request: JsonObject): JsonObject {
  const { exactly, ...rest } = request;
  return isJsonObject(exactly) ? { ...rest, ...exactly } : { ...rest, deviceClassName: '' };
}

function deviceToV1(device: JsonObject): JsonObject {
  const { basic, ...rest } = device;
  return isJsonObject(basic) ? { ...rest, ...basic } : rest;
}

function deviceToV1beta1(device: JsonObject): JsonObject {
  const { name, ...basic } = device;
  return name === undefined ? { basic } : { name, basic };
}
