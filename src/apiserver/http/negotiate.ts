import { ApiError } from '#apimachinery/api-error.ts';

/** The form of an answer (KUBERNETES.md N1–N4). */
export interface Form {
  readonly encoding: 'json' | 'yaml';
  readonly as: 'Object' | 'Table' | 'PartialObjectMetadata';
  /** Of meta.k8s.io, for Table and PartialObjectMetadata. */
  readonly metaVersion: 'v1' | 'v1beta1';
}

/** What is asked for decides which transformations there are. */
export type Subject = 'object' | 'list' | 'watch' | 'review';

export const jsonForm: Form = { encoding: 'json', as: 'Object', metaVersion: 'v1' };
const yamlForm: Form = { encoding: 'yaml', as: 'Object', metaVersion: 'v1' };

/** Accept headers repeat: what they come to is remembered for this many of them. */
const rememberedMax = 512;
const remembered = new Map<string, Form>();
const acceptLengthMax = 4096;

/**
 * The first form, by quality, that this server has for the subject. Protobuf is never sent: every client that asks for
 * it names JSON too (KUBERNETES.md §4). Throws ApiError NotAcceptable.
 */
export function negotiate(accept: string | undefined, subject: Subject): Form {
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json')
    return jsonForm;
  const key = `${subject} ${accept}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const form = accept.length > acceptLengthMax ? undefined : firstForm(accept, subject);
  if (form === undefined) throw notAcceptable(subject);
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(key, form);
  return form;
}

function firstForm(accept: string, subject: Subject): Form | undefined {
  for (const clause of parseAccept(accept)) {
    const form = formOf(clause, subject);
    if (form !== undefined) return form;
  }
  return undefined;
}

/** For errors, which are always told in some form: YAML where that is what comes first, else JSON. */
export function negotiateError(accept: string | undefined): Form {
  if (accept === undefined || accept.length > acceptLengthMax || !accept.includes('yaml')) return jsonForm;
  return firstForm(accept, 'object')?.encoding === 'yaml' ? yamlForm : jsonForm;
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

function formOf({ type, parameters }: Clause, subject: Subject): Form | undefined {
  const encoding = encodingOf(type);
  // A stream of YAML documents has no framing that clients know.
  if (encoding === undefined || (encoding === 'yaml' && subject === 'watch')) return undefined;
  const as = parameters.get('as');
  if (as === undefined) return encoding === 'json' ? jsonForm : yamlForm;
  const version = parameters.get('v');
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (subject === 'review') return undefined;
  if (as === 'Table') return { encoding, as: 'Table', metaVersion: version };
  const wanted = subject === 'list' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  return as === wanted ? { encoding, as: 'PartialObjectMetadata', metaVersion: version } : undefined;
}

function encodingOf(type: string): Form['encoding'] | undefined {
  switch (type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return 'json';
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return 'yaml';
    default:
      return undefined;
  }
}

function notAcceptable(subject: Subject): ApiError {
  const types = subject === 'watch' ? 'application/json' : 'application/json, application/yaml';
  return new ApiError('NotAcceptable', `only the following media types are accepted: ${types}`);
}
