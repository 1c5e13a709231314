import { closeSync, fsyncSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { JsonObject } from '#apimachinery/json.ts';
import type { Logger } from '#client/logger.ts';

export interface AuditSink {
  write(event: JsonObject): void;
  /** Events that were not told, by the name that Kubernetes has for the kind of sink. */
  losses(): readonly AuditLoss[];
  /** Settles when what was written is told, or given up. */
  close(): void | Promise<void>;
}

export interface AuditLoss {
  readonly plugin: 'log' | 'webhook';
  readonly lost: number;
}

export interface AuditLogOptions {
  /** `-`: standard output. */
  readonly path: string;
  /** A larger file is put aside under the time of that. Default 100 MiB. */
  readonly fileBytesMax?: number | undefined;
  /** Files put aside that are kept; 0 keeps all. Default 10. */
  readonly filesMax?: number | undefined;
  readonly logger: Logger;
}

const mebibyte = 1024 * 1024;
const standardOutput = 1;

/**
 * Audit events as JSON lines in a file (KUBERNETES.md O3). What one turn of the event loop brings is written in one call
 * at its end, so that no more than a turn's events wait; a line that cannot be written is counted and told, and never
 * holds up the request.
 */
export class AuditLog implements AuditSink {
  readonly #path: string;
  readonly #fileBytesMax: number;
  readonly #filesMax: number;
  readonly #logger: Logger;
  #file: number;
  #bytes: number;
  #lines: string[] = [];
  #flush: NodeJS.Immediate | undefined;
  #lost = 0;

  /** Throws when the file cannot be opened for appending. */
  constructor(options: AuditLogOptions) {
    this.#path = options.path;
    this.#fileBytesMax = options.fileBytesMax ?? 100 * mebibyte;
    this.#filesMax = options.filesMax ?? 10;
    this.#logger = options.logger;
    this.#file = this.#path === '-' ? standardOutput : openSync(this.#path, 'a', 0o600);
    this.#bytes = this.#path === '-' ? 0 : statSync(this.#path).size;
  }

  losses(): readonly AuditLoss[] {
    return [{ plugin: 'log', lost: this.#lost }];
  }

  write(event: JsonObject): void {
    this.#lines.push(`${JSON.stringify(event)}\n`);
    this.#flush ??= setImmediate(() => this.#write());
  }

  close(): void {
    this.#write();
    if (this.#path === '-') return;
    try {
      fsyncSync(this.#file);
    } finally {
      closeSync(this.#file);
    }
  }

  #write(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    const bytes = Buffer.from(lines.join(''));
    try {
      if (this.#path !== '-' && this.#bytes > 0 && this.#bytes + bytes.length > this.#fileBytesMax)
        this.#rotate();
      let written = 0;
      while (written < bytes.length) written += writeSync(this.#file, bytes, written);
      this.#bytes += bytes.length;
    } catch (error) {
      this.#lost += lines.length;
      this.#logger.error({ err: error, lost: this.#lost }, 'audit events could not be written');
    }
  }

  #rotate(): void {
    closeSync(this.#file);
    const { dir, name, ext } = path.parse(this.#path);
    const stamp = new Date().toISOString().replaceAll(':', '-');
    renameSync(this.#path, path.join(dir, `${name}-${stamp}${ext}`));
    this.#file = openSync(this.#path, 'a', 0o600);
    this.#bytes = 0;
    void this.#prune(dir, name, ext).catch((error: unknown) =>
      this.#logger.warn({ err: error }, 'old audit files could not be removed'),
    );
  }

  async #prune(dir: string, name: string, ext: string): Promise<void> {
    if (this.#filesMax === 0) return;
    const isOurs = /^\d{4}-\d{2}-\d{2}T[\d.-]+Z$/;
    const files = (await readdir(dir))
      .filter((file) => file.startsWith(`${name}-`) && file.endsWith(ext))
      .filter((file) => isOurs.test(file.slice(name.length + 1, file.length - ext.length)))
      .sort();
    for (const file of files.slice(0, -this.#filesMax)) await unlink(path.join(dir, file));
  }
}
