import type { JsonValue } from '#apimachinery/json.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import type { KnownDifference } from './known-difference.ts';
import { isCause, isMessage, messageIn } from './known-messages.ts';

const isApply = ({ contentType }: RawRequest) => contentType === 'application/apply-patch+yaml';
const isStrategic = ({ contentType }: RawRequest) => contentType === 'application/strategic-merge-patch+json';

/** The only status that may be created with (its StatusREST passes forceAllowCreate on). */
const isPolicyStatus = ({ path }: RawRequest) => /\/validatingadmissionpolicies\/[^/]+\/status/.test(path);

/** Of configurations that are applied, and of strategic merge patches, which Go converts without a decoder. */
export const knownOfApplied: readonly KnownDifference[] = [
  {
    row: 'an applied configuration that fits the schema of a built-in kind and cannot be decoded; managedFields in it that are malformed',
    explains: (_, { request, oracle, ours }) =>
      isApply(request) &&
      ours.status === 400 &&
      ((oracle.status === 500 && messageIn(oracle.body).includes(' to proper version: ')) ||
        messageIn(ours.body) === 'metadata.managedFields must be nil'),
  },
  {
    row: 'strategic merge patches in a wrong form',
    explains: (_, { request, oracle, ours }) =>
      isStrategic(request) &&
      oracle.status === 500 &&
      ours.status === 400 &&
      messageIn(oracle.body) === messageIn(ours.body),
  },
  {
    row: 'whole numbers beyond int32 in applied configurations and strategic merge patches',
    parts: true,
    explains: (_, { request, ours }) =>
      (isApply(request) || isStrategic(request)) &&
      ours.status === 400 &&
      /cannot unmarshal number \d+ into Go struct field \S+ of type int32/.test(messageIn(ours.body)),
  },
  {
    row: "uid in an applied configuration that is not the object's",
    explains: (_, { request, oracle, ours }) =>
      isApply(request) &&
      ours.status === 409 &&
      oracle.status === 422 &&
      /metadata\.uid: Invalid value: .* field is immutable/.test(messageIn(oracle.body)),
  },
  {
    row: 'an apply to a subresource of what is not there, of what does not fit the schema',
    explains: (_, { request, oracle, ours }) =>
      isApply(request) &&
      ours.status === 404 &&
      (/failed to create typed patch object/.test(messageIn(oracle.body)) ||
        (oracle.status === 422 && isPolicyStatus(request))),
  },
  {
    row: 'an apply to a subresource of what is not there, of what does not fit the schema',
    parts: true,
    explains: (_, { request, oracle, ours }) =>
      isApply(request) && ours.status === 404 && oracle.status === 201 && isPolicyStatus(request),
  },
  {
    row: "managers of an object that does not fit the schema by which it is compared: the one of a CRD's other version (conversion `None`), a set of what is no scalar, an element without the keys of its list",
    parts: true,
    explains: (_, { request, oracle }) =>
      isApply(request) &&
      oracle.status === 500 &&
      /^failed to create manager for existing fields: failed to convert new object .* omits all key fields/.test(
        messageIn(oracle.body),
      ),
  },
  {
    row: 'deletionTimestamp and deletionGracePeriodSeconds of an object that a PUT or an apply makes',
    parts: true,
    explains: ({ path, ours }, { request, oracle }) =>
      oracle.status === 201 &&
      (isApply(request) || request.method === 'PUT') &&
      path[1] === 'metadata' &&
      /^deletion(?:Timestamp|GracePeriodSeconds)$/.test(String(path[2])) &&
      ours === undefined,
  },
  {
    row: 'a JSON or merge patch of which comes what cannot be decoded',
    explains: (difference, { request }) => {
      const plain = (value: JsonValue | undefined) =>
        String(value).replace(/(cannot convert \w+ to|unrecognized type:) [\w.]+$/, '$1 …');
      return (
        isStrategic(request) &&
        (isCause(difference.path) || isMessage(difference)) &&
        plain(difference.oracle) === plain(difference.ours)
      );
    },
  },
  {
    row: 'malformed resourceVersion in a PUT',
    explains: (_, { request, oracle, ours }) =>
      isApply(request) &&
      oracle.status === 500 &&
      ours.status >= 400 &&
      /^strconv\.ParseUint/.test(messageIn(oracle.body)),
  },
];
