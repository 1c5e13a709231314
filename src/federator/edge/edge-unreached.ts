import { isApiError } from '#apimachinery/api-error.ts';

/** A call to the edge got no answer: counts for the breaker, unlike an answer that is an error. */
export class EdgeUnreached extends Error {
  override readonly name = 'EdgeUnreached';
}

/** Makes a call to the edge, and tells not being answered apart from being refused. */
export async function reaching<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (
      isApiError(error, 'Timeout') ||
      (isApiError(error, 'ServiceUnavailable') && error.cause !== undefined)
    ) {
      throw new EdgeUnreached(error.message, { cause: error });
    }
    throw error;
  }
}
