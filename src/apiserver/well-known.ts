import { Router } from 'express';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { ExpressMount } from './http/express-shell.ts';

/**
 * `/.well-known/cellplane`: which control plane this is and which incarnation of its store. Open to everyone; federators
 * compare the incarnation before they take an absence for a deletion (DESIGN.md, Federator).
 */
export function wellKnownMount(storage: CachedStorage): ExpressMount {
  const router = Router();
  router.get('/', (_request, response) => {
    const { controlPlaneId, incarnationId } = storage;
    response.json({ controlPlaneId, incarnationId });
  });
  return { path: '/.well-known/cellplane', router };
}
