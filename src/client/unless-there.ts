import { isApiError } from '#apimachinery/api-error.ts';

/** Creates what may be there already: whoever was first, it stands there. */
export async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
}
