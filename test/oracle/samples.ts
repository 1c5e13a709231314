import { vectors } from '#api/builtin/testing/vectors.ts';
import { cloneJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';

export interface Sample {
  readonly name: string;
  readonly object: JsonObject;
}

const webhook = {
  name: 'a.b.c',
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { service: { name: 's', namespace: 'n' } },
  // Of what nobody writes: it stands while other samples are written.
  rules: [
    { operations: ['CREATE'], apiGroups: ['none.example'], apiVersions: ['v1'], resources: ['nothings'] },
  ],
};

/** What a base needs besides, to be taken by a server that runs. */
const completed: { readonly [base: string]: JsonObject } = {
  // Its keys in order: a strategic merge patch would change the text, by which kube-apiserver compares.
  ControllerRevision: { data: { apiVersion: 'v1', kind: 'X' } },
  // The first address of the range is the API server's own.
  IPAddress: { metadata: { name: '10.1.0.1' } },
  ValidatingWebhookConfiguration: { webhooks: [webhook] },
  MutatingWebhookConfiguration: { webhooks: [webhook] },
  // Of what nobody makes: it stands while other samples are written, and ours counts.
  ResourceQuota: { spec: { hard: { 'count/nothings.none.example': '5' } } },
  PriorityLevelConfiguration: { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
};

/** One object of each built-in kind with little in it but what it needs. */
export function plainSamples(): Sample[] {
  const bases = vectors<{ base: string; object: JsonObject }>('bases.jsonl');
  return bases.map(({ base, object }) => ({ name: base, object: { ...object, ...completed[base] } }));
}

/** A copy that has another name and the namespace, where it has one. */
export function named(object: JsonObject, name: string, namespace: string): JsonObject {
  const copy = cloneJson(object);
  const metadata: JsonObject = isJsonObject(copy['metadata']) ? copy['metadata'] : {};
  metadata['name'] = name;
  if (metadata['namespace'] !== undefined) metadata['namespace'] = namespace;
  copy['metadata'] = metadata;
  // What an Event is about lies in its namespace.
  for (const about of [copy['involvedObject'], copy['regarding']])
    if (isJsonObject(about) && about['namespace'] !== undefined) about['namespace'] = namespace;
  return copy;
}
