import { readFile } from 'node:fs/promises';
import { UsageError } from './run-command.ts';

/** The text of the file that a flag names; `undefined` where it names none. Throws UsageError with both. */
export async function readSettingFile(flag: string, file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : parseSettingFile(flag, file, (text) => text);
}

/** What is in the file that a flag names. Throws UsageError with both, for a file that cannot be read or used. */
export async function parseSettingFile<T>(
  flag: string,
  file: string,
  parse: (text: string) => T,
): Promise<T> {
  try {
    return parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${flag} ${file}: ${(error as Error).message}`);
  }
}
