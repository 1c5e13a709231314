import { ApiError, alreadyExists } from '#apimachinery/api-error.ts';
import { generateName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Target } from './target.ts';

/** Tries to find a free generated name (KUBERNETES.md C2). */
const nameTriesMax = 8;

/** Another name for an object whose generated one was taken. Throws AlreadyExists after so many tries. */
export function nextName(target: Target, object: KubeObject, tries: number): string {
  const { metadata } = object;
  if (tries >= nameTriesMax) {
    const taken = alreadyExists(target.served.definition, metadata.name!);
    throw new ApiError(
      'AlreadyExists',
      `${taken.message}, the server was not able to generate a unique name for the object`,
      { details: taken.details },
    );
  }
  return generateName(metadata.generateName!);
}
