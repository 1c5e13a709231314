import type { GroupResource } from './gvk.ts';
import { formatGroupResource } from './gvk.ts';
import type { JsonObject } from './json.ts';

/** meta/v1 StatusReason, the closed set that this project answers with (KUBERNETES.md E2). */
export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'Invalid'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServerTimeout'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'NotImplemented'
  /** StatusReasonUnknown: a Status without a reason. */
  | '';

export const statusCodeOf: { readonly [reason in StatusReason]: number } = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServerTimeout: 500,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  Timeout: 504,
  '': 500,
};

/** What clients switch on inside `details.causes`: `FieldValueRequired`, `FieldManagerConflict`, `NamespaceTerminating`, … */
export interface StatusCause extends JsonObject {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails extends JsonObject {
  name?: string;
  group?: string;
  /** Usually the plural resource, as Kubernetes has it. */
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** meta/v1 Status as it goes over the wire (KUBERNETES.md E1). */
export interface Status extends JsonObject {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: JsonObject;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: StatusReason;
  details?: StatusDetails;
  code: number;
}

/**
 * An error that a user of the API is to see. It is thrown by verbs, admission and clients alike; the remote client
 * turns a Status answer back into one, so that callers switch on `reason` whichever client they hold.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: StatusReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** ListMeta of the Status: an expired continue token comes with a fresh one (KUBERNETES.md L4). */
  readonly metadata: JsonObject | undefined;

  constructor(
    reason: StatusReason,
    message: string,
    options: {
      details?: StatusDetails | undefined;
      code?: number | undefined;
      metadata?: JsonObject | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = options.code ?? statusCodeOf[reason];
    this.details = options.details;
    this.metadata = options.metadata;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata ?? {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export function isApiError(error: unknown, ...reasons: StatusReason[]): error is ApiError {
  return error instanceof ApiError && (reasons.length === 0 || reasons.includes(error.reason));
}

function detailsOf(resource: GroupResource, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.resource,
  };
}

/** `deployments.apps "x" not found` (KUBERNETES.md E3). */
export function notFound(resource: GroupResource, name: string): ApiError {
  return new ApiError('NotFound', `${formatGroupResource(resource)} "${name}" not found`, {
    details: detailsOf(resource, name),
  });
}

export function alreadyExists(resource: GroupResource, name: string): ApiError {
  return new ApiError('AlreadyExists', `${formatGroupResource(resource)} "${name}" already exists`, {
    details: detailsOf(resource, name),
  });
}

export function conflict(resource: GroupResource, name: string, why?: string): ApiError {
  const because =
    why ?? 'the object has been modified; please apply your changes to the latest version and try again';
  return new ApiError(
    'Conflict',
    `Operation cannot be fulfilled on ${formatGroupResource(resource)} "${name}": ${because}`,
    { details: detailsOf(resource, name) },
  );
}

/** Why a write that names another uid than the object's is a conflict (apiserver storage `Preconditions.Check`). */
export function uidMismatch(asked: string, actual: string | undefined): string {
  return `Precondition failed: UID in precondition: ${asked}, UID in object meta: ${actual}`;
}

/** An object that names another namespace than the request's path (apiserver rest.EnsureObjectNamespaceMatchesRequestNamespace). */
export function otherNamespace(): ApiError {
  return badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** A path below a group that is served, without anything there (apimachinery `NewGenericServerResponse`). */
export function pathNotFound(): ApiError {
  return new ApiError('NotFound', 'the server could not find the requested resource', { details: {} });
}

/** A path that is served, by another method (apimachinery `NewGenericServerResponse`). */
export function pathMethodNotAllowed(): ApiError {
  return new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource', {
    details: {},
  });
}

export function badRequest(message: string): ApiError {
  return new ApiError('BadRequest', message);
}

export function forbidden(resource: GroupResource, name: string, why: string): ApiError {
  const object = name === '' ? '' : ` "${name}"`;
  return new ApiError('Forbidden', `${formatGroupResource(resource)}${object} is forbidden: ${why}`, {
    details: detailsOf(resource, name),
  });
}

export function methodNotAllowed(resource: GroupResource, verb: string): ApiError {
  return new ApiError(
    'MethodNotAllowed',
    `${verb} is not supported on resources of kind "${formatGroupResource(resource)}"`,
    {
      details: { ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.resource },
    },
  );
}

/** 500 with the bare text and no reason: what Kubernetes answers for an error that it has no class for. */
export function unclassified(message: string): ApiError {
  return new ApiError('', message);
}

export function internalError(cause: unknown): ApiError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new ApiError('InternalError', `Internal error occurred: ${text}`, {
    details: { causes: [{ message: text }] },
    cause,
  });
}
