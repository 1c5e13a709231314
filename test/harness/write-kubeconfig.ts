import { writeFile } from 'node:fs/promises';
import { renderKubeconfig } from '#cli/kubeconfig-file.ts';
import type { ServerConnection } from '#client/remote/connection.ts';

/** Writes a kubeconfig with one context, `root`, for its owner's eyes alone. Returns the file. */
export async function writeKubeconfig(file: string, connection: ServerConnection): Promise<string> {
  await writeFile(file, renderKubeconfig([{ name: 'root', connection }], 'root'), { mode: 0o600 });
  return file;
}
