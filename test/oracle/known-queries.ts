import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import { isAbsent, isText, type KnownDifference } from './known-difference.ts';
import { isMessage } from './known-messages.ts';

/** Of parameters, and of forms of answers. */
export const knownOfQueries: readonly KnownDifference[] = [
  {
    row: 'descriptions of built-in kinds and of columns',
    explains: ({ path, oracle, ours }) =>
      path.includes('columnDefinitions') &&
      path.at(-1) === 'description' &&
      isText(oracle) &&
      typeof ours === 'string',
  },
  {
    row: 'a stream of metadata in the form of a list, or in YAML beside wrong parameters, and such a form of an object that is not there',
    explains: ({ path }, { request, oracle, ours }) => {
      if (ours.status !== 406) return false;
      // What has been written is warned of.
      if (oracle.status === 406)
        return path.join() === 'header,warning' && ours.headers['warning'] === undefined;
      // Another fault is told, or a deletion's Status, which is in no form.
      if (/you requested PartialObjectMetadata/.test(JSON.stringify(ours.body)))
        return oracle.status >= 400 || request.method === 'DELETE';
      const accept = String(request.headers?.['accept']);
      const isStream = /[?/&]watch[=/]/.test(request.path);
      if (oracle.status === 200) return isStream && accept.includes('as=PartialObjectMetadataList');
      return isStream && oracle.status === 422 && /yaml|as=PartialObjectMetadataList/.test(accept);
    },
  },
  {
    row: 'what a 406 names: the kind of a Scale, protobuf for streams of custom kinds',
    explains: (difference, { oracle, ours }) => {
      const plain = (value: JsonValue | undefined) =>
        String(value)
          .replace(/\(\*(?:autoscaling\.Scale|apps\.\w+)\)$/, '(…)')
          .replace(', application/vnd.kubernetes.protobuf;stream=watch', '');
      const isBoth = oracle.status === 406 && ours.status === 406;
      return isBoth && isMessage(difference) && plain(difference.oracle) === plain(difference.ours);
    },
  },
  {
    row: 'list with `resourceVersion=0` and `limit`',
    explains: ({ path }, { request, oracle, ours }) => {
      const query = new URL(request.path, 'http://x').searchParams;
      const isMeant = query.get('resourceVersion') === '0' && Number(query.get('limit')) > 0;
      const isPage =
        path[1] === 'items' || path[1] === 'rows' || path.slice(1).join('.') === 'metadata.continue';
      const isCounted = path.slice(1).join('.') === 'metadata.remainingItemCount';
      return isMeant && oracle.status === 200 && ours.status === 200 && (isPage || isCounted);
    },
  },
  {
    row: 'malformed resourceVersion of a read or watch, resourceVersion in a POST',
    explains: (_, { request, oracle, ours }) =>
      oracle.status === 500 &&
      ours.status === 400 &&
      (/strconv\.ParseUint/.test(JSON.stringify(ours.body)) ||
        (ours.body === '<protobuf>' && /[?&]resourceVersion=(?!\d+(?:&|$))/.test(request.path))),
  },
  {
    row: 'malformed resourceVersion of a read or watch, resourceVersion in a POST',
    explains: ({ path, ours }, { request }) =>
      path.join('.') === 'body.metadata.resourceVersion' &&
      request.method === 'POST' &&
      request.path.includes('dryRun=All') &&
      isAbsent(ours),
  },
  {
    row: 'a `timeout` below zero',
    explains: (_, { request, ours }) => ours.status === 400 && /[?&]timeout=-/.test(request.path),
  },
  {
    row: undefined, // an etcd before 3.4.25 tells no progress, which its kube-apiserver then does without
    explains: ({ path }, { oracle, ours }) =>
      (path[1] === 'events' || (oracle.status === 504 && ours.status === 200)) &&
      /feature RequestWatchProgress is disabled|Too large resource version/.test(JSON.stringify(oracle.body)),
  },
  {
    row: undefined, // an etcd tells of more in its range than what the selector takes
    explains: ({ path, ours }, { request }) =>
      (request.method === 'DELETE' || /[?&](?:label|field)Selector=/.test(request.path)) &&
      path.join('.') === 'body.metadata.continue' &&
      isAbsent(ours),
  },
  {
    row: 'continue tokens',
    explains: (difference, { request, oracle, ours }) =>
      (oracle.status === 410 || oracle.status === 400) &&
      ((ours.status === 410 && isMessage(difference)) ||
        /^invalid continue token/.test(String(isJsonObject(ours.body) ? ours.body['message'] : '')) ||
        (ours.status === 400 && ours.body === '<protobuf>' && /[?&]continue=/.test(request.path))),
  },
  {
    row: 'items of lists',
    explains: ({ path, oracle }) =>
      path.at(-3) === 'items' && (path.at(-1) === 'apiVersion' || path.at(-1) === 'kind') && isAbsent(oracle),
  },
];
