import { ApiError } from '#apimachinery/api-error.ts';

/**
 * Whether a route that produces these media types is found for an Accept header: by go-restful's rule, which Kubernetes'
 * own kinds and documents are routed by, a clause names one of them or any type, whatever its parameters; `application/*`
 * names none.
 */
export function isRoutable(accept: string, produced: readonly string[]): boolean {
  if (accept.trim() === '') return true;
  return accept.split(',').some((clause) => {
    const end = clause.indexOf(';');
    const type = (end < 0 ? clause : clause.slice(0, end)).trim();
    return type === '*/*' || produced.includes(type);
  });
}

/** 406 where no route is found. */
export function unroutable(produced: readonly string[]): ApiError {
  const message = `406: Not Acceptable\n\nAvailable representations: ${produced.join(', ')}`;
  return new ApiError('NotAcceptable', message, { details: {} });
}

/** 406 where the route is found, but no form of these media types is what the header asks for. */
export function notAcceptable(types: readonly string[]): ApiError {
  return new ApiError('NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
}
