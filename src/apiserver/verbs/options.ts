import { type ApiError, badRequest } from '#apimachinery/api-error.ts';
import {
  type FieldError,
  forbiddenField,
  invalid,
  invalidObject,
  notSupported,
  required,
  tooLong,
} from '#apimachinery/field-error.ts';
import { parseFieldSelector } from '#apimachinery/field-selector.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import { parseLabelSelector } from '#apimachinery/label-selector.ts';
import type { DeletionOptions } from '../registry/deletion.ts';
import { wordFor } from '../request/go-words.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Options of create, update and patch (KUBERNETES.md C8, C9). */
export interface WriteParameters {
  readonly dryRun: boolean;
  /** Empty when not given: the context's default is used. */
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** Apply only. */
  readonly force: boolean;
}

/** What list and watch ask for, checked against L2 and W6. */
export interface ListParameters {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan';
  /** 0 when not given. */
  readonly timeoutSeconds: number;
  /** 0 = no limit. */
  readonly limit: number;
  readonly continue: string;
  readonly sendInitialEvents: boolean | undefined;
}

export const fieldManagerBytesMax = 128;

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;
const optionsGroup = 'meta.k8s.io';

/** Parses and checks the query of a write; throws 422 as Kubernetes' ValidateCreateOptions and its siblings do. */
export function parseWriteParameters(
  query: URLSearchParams,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  isApply = false,
): WriteParameters {
  if (query.size === 0 && !isApply) return plainWrite;
  const errors: FieldError[] = [];
  const fieldManager = query.get('fieldManager') ?? '';
  const force = query.get('force');
  // In the order of meta/v1 ValidatePatchOptions.
  if (kind === 'PatchOptions') {
    if (isApply && fieldManager === '') errors.push(required('fieldManager', 'is required for apply patch'));
    if (!isApply && force !== null) {
      errors.push(forbiddenField('force', 'may not be specified for non-apply patch'));
    }
  }
  fieldManagerErrors(fieldManager, errors);
  const dryRun = dryRunOf(query.getAll('dryRun'), errors);
  const fieldValidation = query.get('fieldValidation') ?? '';
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(fieldValidation)) {
    errors.push(notSupported('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (errors.length > 0) throw invalidObject({ group: optionsGroup, kind }, '', errors);
  return {
    dryRun,
    fieldManager,
    fieldValidation: fieldValidation === '' ? 'Warn' : (fieldValidation as FieldValidation),
    force: parseBoolean(force) ?? false,
  };
}

const plainWrite: WriteParameters = Object.freeze({
  dryRun: false,
  fieldManager: '',
  fieldValidation: 'Warn',
  force: false,
});

/** `?dryRun=` is an error too: who tried to try something gets no change. */
function dryRunOf(values: readonly (string | JsonValue)[], errors: FieldError[]): boolean {
  if (values.some((value) => value !== 'All')) errors.push(notSupported('dryRun', values, ['All']));
  return values.length > 0;
}

function fieldManagerErrors(fieldManager: string, errors: FieldError[]): void {
  if (Buffer.byteLength(fieldManager) > fieldManagerBytesMax) {
    errors.push(tooLong('fieldManager', fieldManagerBytesMax));
  }
  const at = [...fieldManager].findIndex((character) => !printable.test(character));
  if (at < 0) return;
  const character = [...fieldManager][at]!;
  const number = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  const position = Buffer.byteLength([...fieldManager].slice(0, at).join(''));
  errors.push(
    invalid('fieldManager', fieldManager, `invalid character U+${number} (at position ${position})`),
  );
}

/** Parses and checks the query of list, watch and deletecollection; 400 when malformed, 422 for what L2 and W6 forbid. */
export function parseListParameters(query: URLSearchParams, isWatch: boolean): ListParameters {
  if (query.size === 0) return isWatch ? plainWatch : plainList;
  const errors: FieldError[] = [];
  const parameters: ListParameters = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    watch: isWatch,
    allowWatchBookmarks: parseBoolean(query.get('allowWatchBookmarks')) ?? false,
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: (query.get('resourceVersionMatch') ?? '') as ListParameters['resourceVersionMatch'],
    // As Kubernetes has it, a negative one is none.
    timeoutSeconds: Math.max(0, parseInteger(query, 'timeoutSeconds')),
    // As Kubernetes has it, a negative one is none.
    limit: Math.max(0, parseInteger(query, 'limit')),
    continue: query.get('continue') ?? '',
    sendInitialEvents: parseBoolean(query.get('sendInitialEvents')),
  };
  if (isWatch) watchErrors(parameters, errors);
  else listErrors(parameters, errors);
  if (errors.length > 0) {
    // What cannot be read comes first (400): selectors are decoded with the other parameters.
    parseLabelSelector(parameters.labelSelector);
    parseFieldSelector(parameters.fieldSelector);
    throw invalidObject({ group: optionsGroup, kind: 'ListOptions' }, '', errors);
  }
  return parameters;
}

const plainList: ListParameters = Object.freeze({
  labelSelector: '',
  fieldSelector: '',
  watch: false,
  allowWatchBookmarks: false,
  resourceVersion: '',
  resourceVersionMatch: '',
  timeoutSeconds: 0,
  limit: 0,
  continue: '',
  sendInitialEvents: undefined,
});
const plainWatch: ListParameters = Object.freeze({ ...plainList, watch: true });

const noMatchWithContinue = 'resourceVersionMatch is forbidden when continue is provided';

/** L2, as Kubernetes' ValidateListOptions. */
function listErrors(parameters: ListParameters, errors: FieldError[]): void {
  const { resourceVersion, resourceVersionMatch: match } = parameters;
  const field = 'resourceVersionMatch';
  if (match !== '') {
    if (resourceVersion === '') {
      errors.push(
        forbiddenField(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided'),
      );
    }
    if (parameters.continue !== '') {
      errors.push(forbiddenField(field, noMatchWithContinue));
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push(notSupported(field, match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && resourceVersion === '0') {
      errors.push(forbiddenField(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
    }
  }
  if (parameters.sendInitialEvents !== undefined) {
    errors.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
}

/** W6. */
function watchErrors(parameters: ListParameters, errors: FieldError[]): void {
  const { resourceVersionMatch: match, sendInitialEvents } = parameters;
  const field = 'resourceVersionMatch';
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(
      forbiddenField(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
    );
  }
  if (match === '') {
    // The state comes first, as if `sendInitialEvents` and this match had been asked for (SetListOptionsDefaults).
    const { resourceVersion: asked, continue: token } = parameters;
    if (token !== '' && sendInitialEvents === undefined && (asked === '' || asked === '0')) {
      errors.push(forbiddenField(field, noMatchWithContinue));
    }
    return;
  }
  if (sendInitialEvents === undefined) {
    errors.push(
      forbiddenField(
        field,
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      ),
    );
  }
  if (match !== 'NotOlderThan') errors.push(notSupported(field, match, ['NotOlderThan']));
  if (parameters.continue !== '') {
    errors.push(forbiddenField(field, noMatchWithContinue));
  }
}

/** DeleteOptions from the body, or from the query when there is no body (X1); throws 400 and 422 (X2). */
export function parseDeletionOptions(body: JsonObject | undefined, query: URLSearchParams): DeletionOptions {
  const given = body ?? deletionFromQuery(query);
  if (given === undefined) return plainDeletion;
  const errors: FieldError[] = [];
  const dryRunValues = given['dryRun'];
  if (dryRunValues !== undefined && dryRunValues !== null && !Array.isArray(dryRunValues)) {
    throw wrongOption('dryRun', dryRunValues, '[]string');
  }
  const gracePeriodSeconds = optionalInteger(given['gracePeriodSeconds'], 'gracePeriodSeconds');
  const orphanDependents = optionalBoolean(given['orphanDependents'], 'orphanDependents');
  const propagationPolicy = optionalText(
    given['propagationPolicy'],
    'propagationPolicy',
    'v1.DeletionPropagation',
  );
  // In the order of meta/v1 ValidateDeleteOptions.
  if (propagationPolicy !== undefined) {
    if (orphanDependents !== undefined) {
      const why = 'orphanDependents and deletionPropagation cannot be both set';
      errors.push(invalid('propagationPolicy', propagationPolicy, why));
    }
    if (!['Background', 'Foreground', 'Orphan'].includes(propagationPolicy)) {
      const supported = ['Foreground', 'Background', 'Orphan', 'nil'];
      errors.push(notSupported('propagationPolicy', propagationPolicy, supported));
    }
  }
  const dryRun = dryRunOf(dryRunValues ?? [], errors);
  if (given['ignoreStoreReadErrorWithClusterBreakingPotential'] === true) {
    errors.push(forbiddenField('ignoreStoreReadErrorWithClusterBreakingPotential', 'is not supported'));
  }
  const preconditions = preconditionsOf(given['preconditions']);
  if (errors.length > 0) throw invalidObject({ group: optionsGroup, kind: 'DeleteOptions' }, '', errors);
  return {
    dryRun,
    // Kubernetes takes a negative period for the shortest one.
    gracePeriodSeconds: gracePeriodSeconds !== undefined && gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds,
    orphanDependents,
    propagationPolicy: propagationPolicy as DeletionOptions['propagationPolicy'],
    preconditions,
  };
}

/** DeleteOptions as webhooks and expressions see them, without `dryRun`. */
export function shownDeletion({ dryRun: _, ...options }: DeletionOptions): JsonObject {
  const shown: JsonObject = {};
  for (const [name, value] of Object.entries(options))
    if (value !== undefined) shown[name] = value as JsonValue;
  return shown;
}

const plainDeletion: DeletionOptions = Object.freeze({ dryRun: false });

function deletionFromQuery(query: URLSearchParams): JsonObject | undefined {
  if (query.size === 0) return undefined;
  const given: JsonObject = {};
  if (query.has('dryRun')) given['dryRun'] = query.getAll('dryRun');
  if (query.get('gracePeriodSeconds') === '') throw badRequest(notParsed('ParseInt', ''));
  if (query.has('gracePeriodSeconds'))
    given['gracePeriodSeconds'] = parseInteger(query, 'gracePeriodSeconds');
  const orphanDependents = parseBoolean(query.get('orphanDependents'));
  if (orphanDependents !== undefined) given['orphanDependents'] = orphanDependents;
  const policy = query.get('propagationPolicy');
  // An empty one too is no policy.
  if (policy !== null) given['propagationPolicy'] = policy;
  if (parseBoolean(query.get('ignoreStoreReadErrorWithClusterBreakingPotential')) === true) {
    given['ignoreStoreReadErrorWithClusterBreakingPotential'] = true;
  }
  return given;
}

function preconditionsOf(value: JsonValue | undefined): DeletionOptions['preconditions'] {
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) throw wrongOption('preconditions', value, 'v1.Preconditions');
  return {
    uid: optionalText(value['uid'], 'preconditions.uid', 'types.UID'),
    resourceVersion: optionalText(value['resourceVersion'], 'preconditions.resourceVersion'),
  };
}

/** 400 in the words of Go's encoding/json. */
function wrongOption(field: string, value: JsonValue, goType: string): ApiError {
  const struct = field.startsWith('preconditions.') ? 'Preconditions' : 'DeleteOptions';
  return badRequest(
    `json: cannot unmarshal ${wordFor(value)} into Go struct field ${struct}.${field} of type ${goType}`,
  );
}

function optionalText(value: JsonValue | undefined, field: string, goType = 'string'): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw wrongOption(field, value, goType);
  return value;
}

function optionalInteger(value: JsonValue | undefined, field: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw wrongOption(field, value, 'int64');
  }
  return value;
}

function optionalBoolean(value: JsonValue | undefined, field: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw wrongOption(field, value, 'bool');
  return value;
}

/** As Kubernetes reads query booleans: `false` and `0` are false, anything else present is true. */
function parseBoolean(value: string | null): boolean | undefined {
  if (value === null) return undefined;
  const lower = value.toLowerCase();
  return lower !== 'false' && lower !== '0';
}

function parseInteger(query: URLSearchParams, name: string): number {
  const text = query.get(name);
  if (text === null || text === '') return 0;
  if (!/^[+-]?[0-9]{1,18}$/.test(text)) throw badRequest(notParsed('ParseInt', text));
  return Number(text);
}

/** Go's strconv, of a text that is no number or none that fits. */
function notParsed(by: 'ParseInt' | 'ParseUint', text: string): string {
  const isNumber = (by === 'ParseInt' ? /^[+-]?[0-9]+$/ : /^[0-9]+$/).test(text);
  return `strconv.${by}: parsing ${JSON.stringify(text)}: ${isNumber ? 'value out of range' : 'invalid syntax'}`;
}

const uint64Max = '18446744073709551615';

/**
 * A resourceVersion as clients send it (L1): undefined when empty; 400 when malformed. Beyond what a double holds
 * exactly it is some revision far in the future.
 */
export function parseResourceVersion(text: string, prefix = ''): number | undefined {
  if (text === '') return undefined;
  if (!/^[0-9]{1,20}$/.test(text) || (text.length === 20 && text > uint64Max)) {
    throw badRequest(
      `${prefix}resourceVersion: Invalid value: ${JSON.stringify(text)}: ${notParsed('ParseUint', text)}`,
    );
  }
  return Number(text);
}
