import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { digestOf } from '../digest.ts';

/** Annotations of the edge's own that have no business anywhere else. */
const droppedAnnotations: ReadonlySet<string> = new Set(['kubectl.kubernetes.io/last-applied-configuration']);

export interface ReturnedForm {
  readonly object: JsonObject;
  /** `<uid>/<hash of the content>`. */
  readonly state: string;
  readonly bytes: number;
}

/**
 * What goes upward of an object of the edge: what it says, and its labels and annotations; nothing of its owners or who wrote
 * it, and no mark of the federation: those are not the edge's to give. Its status `withStatus` alone.
 */
export function returnedForm(edgeObject: KubeObject, withStatus = false): ReturnedForm {
  const { apiVersion, kind, metadata, status, ...content } = edgeObject;
  const object: JsonObject = {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...kept('labels', metadata.labels),
      ...kept('annotations', metadata.annotations),
    },
    ...content,
    ...(withStatus && isJsonObject(status) ? { status } : {}),
  };
  const spec = object['spec'];
  if (kind === 'Service' && isJsonObject(spec)) object['spec'] = withoutAllocations(spec);
  const text = JSON.stringify(object);
  return { object, state: `${metadata.uid ?? ''}/${digestOf(object)}`, bytes: Buffer.byteLength(text) };
}

function kept(field: 'labels' | 'annotations', values: { readonly [key: string]: string } = {}): JsonObject {
  const entries = Object.entries(values).filter(([key]) => !isMark(key) && !droppedAnnotations.has(key));
  return entries.length === 0 ? {} : { [field]: Object.fromEntries(entries) };
}

function isMark(key: string): boolean {
  const slash = key.indexOf('/');
  const domain = key.slice(0, Math.max(0, slash));
  return ['cellplane.io', 'kcp.io', 'karmada.io'].some((own) => domain === own || domain.endsWith(`.${own}`));
}

/** Addresses and ports that the edge allocated mean nothing in the project. */
function withoutAllocations(spec: JsonObject): JsonObject {
  const {
    clusterIP: _ip,
    clusterIPs: _ips,
    ipFamilies: _families,
    ipFamilyPolicy: _policy,
    healthCheckNodePort: _healthPort,
    ...kept
  } = spec;
  const ports = kept['ports'];
  if (Array.isArray(ports)) {
    kept['ports'] = ports.map((port) => {
      if (!isJsonObject(port)) return port;
      const { nodePort: _port, ...others } = port;
      return others;
    });
  }
  return kept;
}
