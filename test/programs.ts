import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import path from 'node:path';

/** Folders beside the PATH in which programs are known to lie. */
const furtherFolders = [
  '/usr/lib/google-cloud-sdk/bin',
  '/usr/local/bin',
  '/usr/local/go/bin',
  '/opt/google-cloud-sdk/bin',
];

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program's path, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), ...furtherFolders];
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

/** Every kubectl there is: versioned ones (`kubectl.1.27`) where they lie beside the plain one, else the plain one. */
export function kubectlPrograms(): { readonly version: string; readonly file: string }[] {
  const found = new Map<string, string>();
  for (const folder of [...(process.env['PATH'] ?? '').split(path.delimiter), ...furtherFolders]) {
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      continue; // a folder of the PATH need not exist
    }
    for (const name of names) {
      const match = /^kubectl\.(1\.\d+)$/.exec(name);
      if (match?.[1] !== undefined && !found.has(match[1])) found.set(match[1], path.join(folder, name));
    }
  }
  if (found.size === 0) {
    const plain = findProgram('kubectl');
    if (plain !== undefined) found.set(versionOf(plain), plain);
  }
  return [...found]
    .map(([version, file]) => ({ version, file }))
    .sort((a, b) => a.version.localeCompare(b.version));
}

/** The release that a kubectl says it is of (`1.36`); `installed` when it is of none. */
function versionOf(kubectl: string): string {
  const told = execFileSync(kubectl, ['version', '--client', '--output=json'], { encoding: 'utf8' });
  return /"gitVersion": *"v(1\.\d+)\./.exec(told)?.[1] ?? 'installed';
}

/** For `test(name, {skip})`: false when the program is there, else why the test is skipped and how to get it. */
export function skipWithout(name: string, howToGetIt: string): string | false {
  return findProgram(name) === undefined ? `${name} is not installed; ${howToGetIt}` : false;
}

export const getKubectl = 'apt-get install kubernetes-client, or see kubernetes.io/docs/tasks/tools';
