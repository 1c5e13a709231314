import assert from 'node:assert/strict';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyServerSide } from '../apply-server-side.ts';
import { updateManagedFields } from '../update-managed-fields.ts';
import { widgetSchema } from './widget-schema.ts';

/** Only for tests: managers who apply and update widgets. */

const apiVersion = 'example.com/v1';

const kind = 'Widget';
export const now = '2026-01-01T00:00:00Z';
export const later = '2026-01-02T00:00:00Z';

export function config(spec: JsonObject | undefined, metadata: JsonObject = {}): JsonObject {
  return { apiVersion, kind, metadata: { name: 'w', ...metadata }, ...(spec === undefined ? {} : { spec }) };
}

interface ApplyOptions {
  readonly force?: boolean;
  readonly subresource?: string;
  readonly at?: string;
  readonly resetFields?: readonly string[];
}

export function apply(
  live: KubeObject | undefined,
  manager: string,
  applied: JsonObject,
  { force = false, subresource = '', at = now, resetFields }: ApplyOptions = {},
): KubeObject {
  const inputs = JSON.stringify([live, applied]);
  const request = {
    schema: widgetSchema,
    live,
    applied,
    manager,
    force,
    apiVersion,
    subresource,
    now: at,
    resetFields,
  };
  try {
    return applyServerSide(request).object;
  } finally {
    assert.equal(JSON.stringify([live, applied]), inputs, 'inputs changed');
  }
}

export function update(
  live: KubeObject | undefined,
  manager: string,
  updated: JsonObject,
  subresource = '',
): KubeObject {
  const object = { ...updated, metadata: { ...(updated['metadata'] as JsonObject) } } as KubeObject;
  delete object.metadata.managedFields;
  const managedFields = updateManagedFields({
    schema: widgetSchema,
    live,
    updated: object,
    manager,
    operation: 'Update',
    apiVersion,
    subresource,
    now,
  });
  if (managedFields.length > 0) object.metadata.managedFields = managedFields;
  return object;
}

export function fieldsOf(object: KubeObject, manager: string): unknown {
  return object.metadata.managedFields?.find((one) => one.manager === manager)?.fieldsV1;
}
