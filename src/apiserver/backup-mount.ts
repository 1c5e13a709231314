import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Router } from 'express';
import { ApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { writeBackup } from '#storage/backup/write-backup.ts';
import type { Storage } from '#storage/storage.ts';
import type { ExpressMount } from './http/express-shell.ts';
import { exchanges } from './http/plain-routes.ts';
import { systemMasters } from './request/user.ts';

/**
 * `GET /debug/cellplane/backup`: the whole store as a backup (docs/operations.md), Secrets of all workspaces included.
 * For system:masters alone, whatever roles say: a role in one workspace must not open the others.
 */
export function backupMount(storage: Storage, clock: Clock): ExpressMount {
  const router = Router();
  router.get('/', async (request, response) => {
    const exchange = exchanges.get(request);
    if (exchange?.user.groups.includes(systemMasters) !== true) {
      throw new ApiError('Forbidden', `a backup is given to the group ${systemMasters} alone`);
    }
    response.setHeader('Content-Type', 'application/octet-stream');
    const chunks = writeBackup(storage, { nowMs: clock.now(), signal: exchange.signal });
    // A failure midway cuts the answer off: without its last frame a backup is refused.
    await pipeline(Readable.from(chunks, { objectMode: false }), response).catch(() => response.destroy());
  });
  return { path: '/debug/cellplane/backup', router };
}
