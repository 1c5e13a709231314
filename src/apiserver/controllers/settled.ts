import { isApiError } from '#apimachinery/api-error.ts';

/** A write in which somebody else may have been first (Conflict, NotFound, AlreadyExists): that is an event of its own. */
export async function settled(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isApiError(error, 'Conflict', 'NotFound', 'AlreadyExists')) throw error;
  }
}
