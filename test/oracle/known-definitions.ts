import { isOf, type KnownDifference } from './known-difference.ts';
import { messageIn } from './known-messages.ts';

/** Of definitions of custom kinds. */
export const knownOfDefinitions: readonly KnownDifference[] = [
  {
    row: undefined, // what each server calls itself, and whether a second has passed between two of its writes
    explains: ({ path, oracle, ours }, { request }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      ((path.at(-1) === 'manager' && oracle === 'kube-apiserver' && ours === 'cellplane') ||
        path.slice(-2).join(' ') === 'k:{"type":"Terminating"} f:lastTransitionTime'),
  },
  {
    row: undefined, // each look of its controller at what is held is written there, a minute apart
    explains: ({ path, oracle }, { request, oracle: theirs, ours }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      path.join('.') === 'body.metadata.resourceVersion' &&
      oracle === '<new revision>' &&
      [theirs, ours].every(({ body }) => JSON.stringify(body).includes('InstanceDeletionInProgress')),
  },
  {
    // `conditions: null` stands there before the first one.
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, oracle }, { request }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      path.slice(-3).join(' ') === 'f:status f:conditions .' &&
      oracle === undefined,
  },
  {
    row: 'a custom object that is made while its definition goes',
    parts: true,
    explains: (_, { oracle, ours }) =>
      oracle.status === 201 &&
      ours.status === 403 &&
      /create not allowed while custom resource definition is terminating$/.test(messageIn(ours.body)),
  },
  {
    row: 'a custom kind that goes while none of its versions is served',
    explains: (_, { request, earlier = [], oracle, ours }) =>
      /^\/apis\/g\d+\./.test(request.path) &&
      oracle.status === 404 &&
      // ... of which an object may be gone already.
      (ours.status === 200 || messageIn(ours.body).endsWith('" not found')) &&
      earlier.some(({ method }) => method === 'DELETE') &&
      earlier.some(({ body }) => /\/served","value":false/.test(String(body))),
  },
  {
    // ... so that revisions were told at one side alone, by which later ones are told apart.
    row: 'a custom kind that goes while none of its versions is served',
    explains: ({ path, oracle, ours }, { earlier = [] }) =>
      path.join('.') === 'body.metadata.resourceVersion' &&
      /^<(?:same|earlier) revision>$/.test(String(oracle)) &&
      /^<(?:same|earlier) revision>$/.test(String(ours)) &&
      earlier.some(({ path: asked, method }) => method === undefined && /^\/apis\/g\d+\./.test(asked)) &&
      earlier.some(({ body }) => /\/served","value":false/.test(String(body))),
  },
  {
    row: 'CRDs',
    explains: ({ path, oracle, ours }, { request }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      oracle === undefined &&
      (path.at(-1) === 'finalizers' ||
        (path.at(-2) === 'finalizers' && ours === 'customresourcecleanup.apiextensions.k8s.io') ||
        (path.includes('fieldsV1') &&
          (path.includes('f:finalizers') || JSON.stringify(ours).includes('"f:finalizers"')))),
  },
];
