import { ApiError, alreadyExists } from '#apimachinery/api-error.ts';
import { generateName } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Target } from './target.ts';

/** Tries to find a free generated name (KUBERNETES.md C2). */
const nameTriesMax = 8;

/** Gives an object another name whose generated one was taken. In place; throws AlreadyExists after so many tries. */
export function renameNew(target: Target, object: KubeObject, tries: number): void {
  const { metadata } = object;
  const former = metadata.name!;
  if (tries >= nameTriesMax) {
    const taken = alreadyExists(target.served.definition, former);
    throw new ApiError(
      'AlreadyExists',
      `${taken.message}, the server was not able to generate a unique name for the object`,
      { details: taken.details },
    );
  }
  metadata.name = generatedName(target, object);
  target.served.definition.strategy.renameNew?.(object, former);
}

/** A name made of its generateName, which it has. */
export function generatedName({ served }: Target, { metadata }: KubeObject): string {
  const prefix = metadata.generateName!;
  return served.definition.strategy.prefixIsName === true ? prefix : generateName(prefix);
}
