import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import type { Case, Step, StepOf } from './case.ts';
import { collectionOf, type Kind, type Kinds } from './kinds.ts';
import { namespace } from './pair.ts';
import { named, plainSamples, type Sample } from './samples.ts';

const labels = { oracle: 'lifecycle' };

/** Each kind's sample: created, read in every form, listed, updated, patched in each way, its status written, deleted. */
export function lifecycles({ kinds }: Kinds): Case[] {
  return plainSamples().flatMap((sample) => {
    const kind = kinds.get(`${String(sample.object['apiVersion'])} ${String(sample.object['kind'])}`);
    return kind === undefined ? [] : [lifecycle(sample, kind)];
  });
}

function lifecycle(sample: Sample, kind: Kind): Case {
  // Objects of these kinds are named by what they are of.
  const own = (sample.object['metadata'] as JsonObject)['name'];
  const name = own === 'x' ? `lifecycle-${sample.name.toLowerCase()}` : String(own);
  const object = named(sample.object, name, namespace);
  (object['metadata'] as JsonObject)['labels'] = { ...labels, kind: sample.name };
  const { apiVersion } = kind;
  const collection = collectionOf(kind);
  const path = `${collection}/${name}`;
  const patch = (type: string, body: Step['body'], query = ''): Step => ({
    ...{ method: 'PATCH', path: `${path}${query}`, contentType: `application/${type}`, body },
  });
  const annotate = (key: string) => ({ metadata: { annotations: { [key]: 'x' } } });
  const steps: (Step | StepOf)[] = [
    { path: `${collection}?fieldValidation=Strict`, method: 'POST', body: object },
    { path: collection, method: 'POST', body: object },
    { path },
    { path, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
    { path, headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' } },
    { path: `${collection}?labelSelector=kind%3D${sample.name}` },
    {
      path: `${collection}?labelSelector=kind%3D${sample.name}`,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    },
    { path, method: 'PUT', body: object },
    (answers) => ({ path, method: 'PUT', body: changed(answers) }),
    { path, method: 'PUT', body: { ...object, metadata: { name, resourceVersion: '1' } } },
    patch('merge-patch+json', annotate('merge')),
    patch('strategic-merge-patch+json', annotate('strategic')),
    patch('json-patch+json', [{ op: 'add', path: '/metadata/annotations/json', value: 'x' }]),
    patch('json-patch+json', [{ op: 'remove', path: '/metadata/annotations/none' }]),
    patch('merge-patch+json', { metadata: { name: 'other' } }),
    patch('merge-patch+json', { metadata: { annotations: { a: 1 } } }),
    patch('apply-patch+yaml', object, '?fieldManager=applier'),
    patch('apply-patch+yaml', { apiVersion, kind: kind.kind, metadata: { name } }, '?fieldManager=applier'),
    patch('apply-patch+yaml', { apiVersion, kind: kind.kind, ...annotate('none') }, '?fieldManager=applier'),
    patch('apply-patch+yaml', object, '?fieldManager=applier&force=true'),
    patch('apply-patch+yaml', object, ''),
    patch('merge-patch+json', { metadata: { finalizers: ['oracle.example/hold'] } }),
    ...kind.subresources.filter((one) => ['status', 'scale'].includes(one)).flatMap(statuses),
    // Namespaces end by a controller, of which the oracle has none.
    ...(kind.resource === 'namespaces' ? [] : deletions()),
  ];
  return { name: `lifecycle of ${sample.name}`, steps };

  function deletions(): (Step | StepOf)[] {
    return [
      // The default of some kinds orphans: a controller takes that up.
      { path: `${path}?dryRun=All`, method: 'DELETE' },
      { path, method: 'DELETE', body: { propagationPolicy: 'Background' } },
      { path },
      patch('merge-patch+json', { metadata: { finalizers: ['oracle.example/more'] } }),
      patch('merge-patch+json', { metadata: { finalizers: null } }),
      { path },
      { path, method: 'DELETE' },
      { path: collection, method: 'POST', body: object },
      { path, method: 'DELETE', body: { propagationPolicy: 'Background', preconditions: { uid: 'other' } } },
      { path, method: 'DELETE', body: { propagationPolicy: 'Background' } },
    ];
  }

  function statuses(subresource: string): (Step | StepOf)[] {
    const under = `${path}/${subresource}`;
    return [
      { path: under },
      (answers) => ({ path: under, method: 'PUT', body: answers.at(-1)?.json as JsonObject }),
      { ...patch('merge-patch+json', annotate('status')), path: under },
      { ...patch('merge-patch+json', { status: { observedGeneration: 1 } }), path: under },
    ];
  }
}

/** What was read last, with a label changed. */
function changed(answers: readonly RawAnswer[]): JsonObject {
  const last = answers.at(-1)?.json as JsonObject | undefined;
  const metadata = isJsonObject(last?.['metadata']) ? last['metadata'] : {};
  return { ...last, metadata: { ...metadata, labels: { ...labels, changed: 'yes' } } };
}
