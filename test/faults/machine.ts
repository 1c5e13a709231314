import { appendFile, cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { bundleScript } from '../harness/bundle-script.ts';
import type { Random } from '../harness/random.ts';
import { buildShim, DiskControl } from './disk-shim.ts';

export interface DiskBehaviour {
  readonly seed: number;
  /** Per mille of the calls after which the disk writes something out unasked. */
  readonly writeback: number;
  /**
   * What it takes for a name to outlast a power cut: any sync after it, as where a journal keeps names, or one of its
   * folder, as POSIX says. Default `journal`.
   */
  readonly names?: 'journal' | 'folder' | undefined;
}

/** A machine whose processes can be killed and whose power can be cut; its disk lies in a folder. */
export class Machine {
  readonly folder: string;
  /** What node runs for a store-process. */
  readonly script: string;
  readonly control: DiskControl;
  readonly #shim: string | undefined;

  private constructor(folder: string, script: string, shim: string | undefined) {
    this.folder = folder;
    this.script = script;
    this.#shim = shim;
    this.control = new DiskControl(path.join(folder, 'control'));
  }

  /** Without the shim, processes can be killed, but the power cannot be cut. */
  static async make(folder: string, options: { readonly withShim: boolean }): Promise<Machine> {
    const script = await bundleScript(new URL('./store-process.ts', import.meta.url), folder);
    const machine = new Machine(folder, script, options.withShim ? await buildShim(folder) : undefined);
    await machine.control.reset();
    await machine.wipe();
    return machine;
  }

  get disk(): string {
    return path.join(this.folder, 'disk');
  }

  /** Data folder of the store. */
  get store(): string {
    return path.join(this.disk, 'store');
  }

  get #shadow(): string {
    return path.join(this.folder, 'shadow');
  }

  /** For a process on this machine. */
  environment(behaviour: DiskBehaviour): NodeJS.ProcessEnv {
    if (this.#shim === undefined) return {};
    return {
      LD_PRELOAD: this.#shim,
      CELLPLANE_DISK_ROOT: this.disk,
      CELLPLANE_DISK_SHADOW: this.#shadow,
      CELLPLANE_DISK_CONTROL: this.control.file,
      CELLPLANE_DISK_SEED: String(behaviour.seed),
      CELLPLANE_DISK_WRITEBACK: String(behaviour.writeback),
      CELLPLANE_DISK_NAMES: behaviour.names ?? 'journal',
    };
  }

  /** An empty disk. */
  async wipe(): Promise<void> {
    await rm(this.disk, { recursive: true, force: true });
    await mkdir(this.store, { recursive: true, mode: 0o700 });
    await this.settle();
  }

  /** Everything is written out: what the disk holds now survives. No process may be running. */
  async settle(): Promise<void> {
    await rm(this.#shadow, { recursive: true, force: true });
    await mkdir(path.join(this.#shadow, 'objects'), { recursive: true });
    await cp(this.disk, path.join(this.#shadow, 'tree'), { recursive: true });
  }

  /**
   * The power is cut: what was not made durable is gone. All processes must have been killed. With `torn`, files that are
   * appended to may have grown without the bytes that belonged there: by zeros, a log also by what lay on the disk before.
   */
  async cutPower(torn?: Random): Promise<void> {
    await rm(this.disk, { recursive: true, force: true });
    await rename(path.join(this.#shadow, 'tree'), this.disk);
    if (torn !== undefined) await this.#tearTails(torn);
    await this.settle();
  }

  async #tearTails(random: Random): Promise<void> {
    for (const entry of await readdir(this.disk, { recursive: true, withFileTypes: true })) {
      const isLog = entry.name.endsWith('.log');
      if (!(isLog || entry.name.startsWith('MANIFEST-')) || random.next() < 0.5) continue;
      const tail = Buffer.alloc(random.between(1, random.pick([7, 600, 70_000])));
      if (isLog && random.next() < 0.5) {
        for (let at = 0; at < tail.length; at++) tail[at] = random.between(0, 255);
      }
      await appendFile(path.join(entry.parentPath, entry.name), tail);
    }
  }

  /** A copy of the store, to be looked into without touching the store itself. */
  async copyStore(): Promise<string> {
    const copy = path.join(this.folder, 'copy');
    await rm(copy, { recursive: true, force: true });
    await cp(this.store, copy, { recursive: true });
    return copy;
  }
}
