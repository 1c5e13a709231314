import { type ApiError, badRequest } from '#apimachinery/api-error.ts';
import { MalformedJson } from '#apimachinery/decode-json.ts';
import { formatApiVersion, type GroupVersionKind } from '#apimachinery/gvk.ts';
import { internalPackage } from '../request/go-words.ts';
import type { RequestBody } from './request-body.ts';

/** The name that Go's registry of kinds has in a released kube-apiserver; it stands in messages. */
const registryName = 'pkg/api/legacyscheme/scheme.go:30';
/** Of options, and of all that is not a kind of Kubernetes' own. */
export const otherRegistryName = 'pkg/runtime/scheme.go:111';
const summaryBytesMax = 30;

/** 400 for a body of which not even apiVersion and kind can be told (apiserver `transformDecodeError`). */
export function unrecognized(kind: string, why: string, body: RequestBody): ApiError {
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): ${why} (${summaryOf(body)})`,
  );
}

/** What `decode` finds, or 400 in the words for a body of this kind. */
export function inWordsFor<T>(kind: string, body: RequestBody, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof MalformedJson)) throw error;
    throw unrecognized(kind, `couldn't get version/kind; json parse error: ${error.why}`, body);
  }
}

/** apiserver `summarizeData`: the beginning as it is where it looks like JSON, else in hexadecimal. */
function summaryOf(body: RequestBody): string {
  const bytes = 'object' in body ? Buffer.from(JSON.stringify(body.object)) : body.bytes;
  if (bytes.length === 0) return '<empty>';
  const encoding = bytes[0] === 0x7b ? 'utf8' : 'hex';
  const text = bytes.toString(encoding, 0, summaryBytesMax);
  return bytes.length > summaryBytesMax ? `${text} ...` : text;
}

/** 400 for an object of another kind than the one that the path is for. */
export function otherKind(
  given: { readonly apiVersion: string; readonly kind: string },
  expected: GroupVersionKind,
  isKnown: boolean,
): ApiError {
  const version = given.apiVersion.slice(given.apiVersion.indexOf('/') + 1);
  const why = isKnown
    ? `converting (${version}.${given.kind}) to (${internalPackage(expected.group)}.${expected.kind}): unknown conversion`
    : notRegistered(given.kind, given.apiVersion);
  return badRequest(
    `${given.kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}: ${why}`,
  );
}

/** What the registry of kinds says of one that it does not know. */
export function notRegistered(kind: string, apiVersion: string, scheme = registryName): string {
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme ${JSON.stringify(scheme)}`;
}

/** 400 for a version of the right kind that the path is not for. */
export function otherVersion(apiVersion: string, expected: GroupVersionKind): ApiError {
  return badRequest(
    `the API version in the data (${apiVersion}) does not match the expected API version (${formatApiVersion(expected)})`,
  );
}
