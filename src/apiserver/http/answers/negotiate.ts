import { ApiError } from '#apimachinery/api-error.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { protobufMediaType } from '../../protobuf/protobuf.ts';
import { isRoutable, notAcceptable, unroutable } from '../../request/acceptable.ts';
import { internalPackage } from '../../request/go-words.ts';

/** The form of an answer (KUBERNETES.md N1–N4). */
export interface Form {
  readonly encoding: 'json' | 'yaml' | 'protobuf';
  readonly as: 'Object' | 'Table' | 'PartialObjectMetadata';
  /** Of meta.k8s.io, for Table and PartialObjectMetadata. */
  readonly metaVersion: 'v1' | 'v1beta1';
  /** PartialObjectMetadata without managedFields, in JSON of v1: nothing of Kubernetes' (docs/batches.md, Lean metadata). */
  readonly isLean?: boolean | undefined;
  /** With `isLean`: a watch tells small objects whole when they are new (docs/batches.md, New objects). */
  readonly newWhole?: boolean | undefined;
}

/** What is asked for decides which transformations there are. */
export type Subject = 'object' | 'list' | 'watch' | 'review';

export const jsonForm: Form = { encoding: 'json', as: 'Object', metaVersion: 'v1' };
/** Of errors for who takes no plain form: indented (responsewriters.WriteRawJSON). */
export const rawErrorForm: Form = { ...jsonForm };
const yamlForm: Form = { encoding: 'yaml', as: 'Object', metaVersion: 'v1' };
const protobufForm: Form = { encoding: 'protobuf', as: 'Object', metaVersion: 'v1' };
const objectForms = { json: jsonForm, yaml: yamlForm, protobuf: protobufForm } as const;

/** Accept headers repeat: what they come to is remembered for this many of them. */
const rememberedMax = 512;
const remembered = new Map<string, Form>();
const acceptLengthMax = 4096;

/** What is asked for. */
export interface Asked {
  readonly served: ServedResource;
  readonly subresource: string;
  /** Absent: a GET. */
  readonly info?: { readonly method: string } | undefined;
}

/**
 * The first form, by quality, that this server has for the subject. Protobuf is for Kubernetes' own kinds, and for the
 * metadata of all (KUBERNETES.md N2, N4). Throws ApiError NotAcceptable.
 */
export function negotiate(accept: string | undefined, subject: Subject, asked: Asked): Form {
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json')
    return jsonForm;
  const protobuf = accept.includes(protobufMediaType) && hasMessage(asked);
  const isBuiltin = asked.served.definition.origin === 'builtin';
  const key = `${isBuiltin ? 'routed ' : ''}${protobuf ? 'protobuf ' : ''}${subject} ${accept}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const isReadable = accept.length <= acceptLengthMax;
  const isKnownRoute = !isBuiltin || (isReadable && isRoutable(accept, producedTypes));
  const form = isReadable && isKnownRoute ? firstForm(accept, subject, protobuf) : undefined;
  if (form === undefined) throw refusal(isReadable ? accept : '', subject, asked, isKnownRoute);
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(key, form);
  return form;
}

/** Every kind of Kubernetes' own has a message, and so has Scale, whatever is scaled. */
function hasMessage({ served, subresource }: Asked): boolean {
  return served.definition.origin === 'builtin' || subresource === 'scale';
}

function firstForm(accept: string, subject: Subject, protobuf: boolean): Form | undefined {
  for (const clause of parseAccept(accept)) {
    const form = formOf(clause, subject, protobuf);
    if (form !== undefined) return form;
    // What is acceptable decides: that there is no stream of it, or that it is of the other sort, is seen afterwards
    // (NegotiateOutputMediaTypeStream, asPartialObjectMetadata).
    if (subject === 'watch' && formOf(withoutStream(clause), 'object', protobuf) !== undefined)
      return undefined;
    if (subject === 'object' && formOf(clause, 'list', protobuf) !== undefined) return undefined;
    if (subject === 'list' && formOf(clause, 'object', protobuf) !== undefined) return undefined;
  }
  return undefined;
}

function withoutStream(clause: Clause): Clause {
  if (clause.parameters.get('stream') !== 'watch') return clause;
  const parameters = new Map(clause.parameters);
  parameters.delete('stream');
  return { ...clause, parameters };
}

/**
 * For errors, which are always told in some form: the first without a transformation, since a Status has none; else JSON.
 */
export function negotiateError(accept: string | undefined): Form {
  if (accept === undefined || accept.length > acceptLengthMax) return jsonForm;
  if (accept === '' || accept === '*/*' || accept === 'application/json') return jsonForm;
  const form = firstForm(accept, 'review', true);
  return form === undefined ? rawErrorForm : objectForms[form.encoding];
}

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** In order of quality, the header's own order among equals. */
function parseAccept(accept: string): Clause[] {
  const clauses: Clause[] = [];
  for (const part of accept.split(',')) {
    const [type = '', ...rest] = part.split(';');
    const parameters = new Map<string, string>();
    for (const one of rest) {
      const equals = one.indexOf('=');
      if (equals > 0) parameters.set(one.slice(0, equals).trim().toLowerCase(), one.slice(equals + 1).trim());
    }
    const quality = Number(parameters.get('q') ?? 1);
    if (quality > 0) clauses.push({ type: type.trim().toLowerCase(), parameters, quality });
  }
  return clauses.sort((a, b) => b.quality - a.quality);
}

function formOf({ type, parameters }: Clause, subject: Subject, protobuf: boolean): Form | undefined {
  const encoding = encodingOf(type);
  if (encoding === undefined) return undefined;
  // A stream of YAML documents has no framing that clients know; `watch` is the only name of a stream.
  const stream = parameters.get('stream');
  const isStream = subject === 'watch' || (stream !== undefined && stream !== '');
  if (isStream && (encoding === 'yaml' || (stream ?? 'watch') !== 'watch')) return undefined;
  const as = parameters.get('as');
  if (as === undefined) return encoding === 'protobuf' && !protobuf ? undefined : objectForms[encoding];
  const version = parameters.get('v');
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (subject === 'review') return undefined;
  if (as === 'Table') {
    return encoding === 'protobuf' ? undefined : { encoding, as: 'Table', metaVersion: version };
  }
  const wanted = subject === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  if (as !== wanted) return undefined;
  const isLean = encoding === 'json' && version === 'v1' && parameters.get('managedfields') === 'false';
  const newWhole = isLean && subject === 'watch' && parameters.get('newobjects') === 'whole';
  return {
    encoding,
    as: 'PartialObjectMetadata',
    metaVersion: version,
    ...(isLean ? { isLean } : {}),
    ...(newWhole ? { newWhole } : {}),
  };
}

function encodingOf(type: string): Form['encoding'] | undefined {
  switch (type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return 'json';
    case 'application/yaml':
      return 'yaml';
    case protobufMediaType:
      return 'protobuf';
    default:
      return undefined;
  }
}

const producedTypes = ['application/json', 'application/yaml', protobufMediaType];
const streamedTypes = ['application/json;stream=watch', `${protobufMediaType};stream=watch`];

function refusal(accept: string, subject: Subject, asked: Asked, isKnownRoute: boolean): ApiError {
  const isRead = (asked.info?.method ?? 'GET') === 'GET';
  const streams = isRead && (subject === 'list' || subject === 'watch');
  if (!isKnownRoute) return unroutable(streams ? [...producedTypes, ...streamedTypes] : producedTypes);
  const offered = hasMessage(asked)
    ? { types: producedTypes, streams: streamedTypes }
    : { types: producedTypes.slice(0, 2), streams: streamedTypes.slice(0, 1) };
  // What would do for a list, and is only no stream, is told the streams that there are.
  if (subject === 'watch') {
    const isNoStream = firstForm(accept, 'list', hasMessage(asked)) !== undefined;
    return notAcceptable(isNoStream ? offered.streams : offered.types);
  }
  const other = subject === 'list' ? 'object' : 'list';
  const partial = subject === 'review' ? undefined : firstForm(accept, other, hasMessage(asked));
  return partial === undefined ? notAcceptable(offered.types) : otherSort(subject === 'list', asked);
}

/** Metadata of one object was asked for where there is a list, or the other way round (apiserver asPartialObjectMetadata). */
function otherSort(isList: boolean, { served }: Asked): ApiError {
  const { group, kind, origin } = served.definition;
  const type = origin === 'custom' ? 'unstructured.Unstructured' : `${internalPackage(group)}.${kind}`;
  return new ApiError(
    'NotAcceptable',
    isList
      ? `you requested PartialObjectMetadata, but the requested object is a list (*${type}List)`
      : `you requested PartialObjectMetadataList, but the requested object is not a list (*${type})`,
  );
}
