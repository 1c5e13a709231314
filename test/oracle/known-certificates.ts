import type { JsonValue } from '#apimachinery/json.ts';
import { isOf, type KnownDifference } from './known-difference.ts';
import { differInCauses, isCause, isMessage } from './known-messages.ts';

/** Causes without the words of Go's parsers of what is in PEM. */
function withoutParsers(body: JsonValue): string {
  const words =
    /(Invalid value: \\*"(?:[\w+/=]+|<certificate data>)\\*"): (?:asn1|x509|crypto|ecdsa|rsa|P\d+)[^"\]]*?(?=, s(?:pec|tatus)\.|"|\])/g;
  return JSON.stringify(body).replace(words, '$1: …');
}

/** Of requests for certificates. */
export const knownOfCertificates: readonly KnownDifference[] = [
  {
    row: '`generateName` of a CertificateSigningRequest that an update makes unfit for a name',
    explains: ({ path, oracle, ours }, { request }) =>
      request.method === 'PUT' &&
      isOf(request.path, 'certificatesigningrequests') &&
      (isMessage({ path }) || path.includes('causes')) &&
      /metadata\.generateName/.test(JSON.stringify([oracle, ours])),
  },
  {
    row: 'why a request for a certificate, or a certificate, cannot be parsed',
    explains: (difference, { request, oracle, ours }) =>
      isOf(request.path, 'certificatesigningrequests') &&
      (isMessage(difference) || isCause(difference.path)) &&
      withoutParsers(oracle.body) === withoutParsers(ours.body),
  },
  {
    row: 'certificates that hold what nobody can use: points beside the curve, times that are none',
    parts: true,
    explains: (_, { request, oracle, ours }) =>
      isOf(request.path, 'certificatesigningrequests') &&
      oracle.status === 422 &&
      ours.status !== oracle.status &&
      /status\.certificate: Invalid value/.test(JSON.stringify(oracle.body)),
  },
  {
    row: 'certificates that hold what nobody can use: points beside the curve, times that are none',
    explains: ({ path }, { request, oracle, ours }) =>
      isOf(request.path, 'certificatesigningrequests') &&
      oracle.status === 422 &&
      ours.status === 422 &&
      (isCause(path) || isMessage({ path })) &&
      differInCauses(oracle, ours, /"field":"status\.certificate"/),
  },
];
