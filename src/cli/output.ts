import { type Command, Option } from 'commander';
import type { KubeObject } from '#apimachinery/object.ts';

export type OutputFormat = 'json' | 'yaml';

export interface OutputSettings {
  readonly output?: OutputFormat;
}

/** Adds `-o`: what a command tells as a table, for programs. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'instead of a table').choices(['json', 'yaml']),
  );
}

/** `value` in the form asked for, else what `table` gives; ends with a line feed. */
export async function formatted(
  { output }: OutputSettings,
  value: unknown,
  table: () => string,
): Promise<string> {
  switch (output) {
    case undefined:
      return table();
    case 'json':
      return `${JSON.stringify(value, null, 2)}\n`;
    case 'yaml': {
      const { stringify } = await import('yaml');
      return stringify(value, { aliasDuplicateObjects: false });
    }
  }
}

/** Objects in the list that kubectl prints them in. */
export function listOf(items: readonly KubeObject[]): object {
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
}
