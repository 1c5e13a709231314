import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { workspacePathSource } from '#api/tenancy/names.ts';
import { parseGoDuration } from '#apimachinery/cel/time.ts';
import { UsageError } from './run-command.ts';

const workspacePathPattern = new RegExp(workspacePathSource);

/**
 * An option that can be given as a flag, then by environment (`CELLPLANE_DATA_DIR` for `--data-dir`), then in the YAML
 * file that `--config` names (key `data-dir`), in this order of precedence.
 */
export function setting<T = string>(
  flags: string,
  description: string,
  options: {
    readonly default?: T;
    readonly parse?: (text: string) => T;
    readonly choices?: readonly string[];
  } = {},
): Option {
  const option = new Option(flags, description);
  option.env(`CELLPLANE_${option.name().toUpperCase().replaceAll('-', '_')}`);
  if (options.choices !== undefined) option.choices(options.choices);
  if (options.parse !== undefined) option.argParser(options.parse);
  if (options.default !== undefined) option.default(options.default);
  return option;
}

/** Adds `--config` to a command and reads the file before the command runs. Unknown keys are refused with their name. */
export function withConfigFile(command: Command): Command {
  command.addOption(
    setting('--config <file>', 'YAML file with further settings, named as the flags without dashes in front'),
  );
  command.hook('preAction', async (_parent, acting) => {
    const file: unknown = acting.opts()['config'];
    if (typeof file === 'string') applyConfig(acting, file, await readConfig(file));
  });
  return command;
}

async function readConfig(file: string): Promise<{ readonly [key: string]: unknown }> {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    // The parser's second line on shows the place in the file.
    throw new UsageError(`--config ${file}: ${(error as Error).message.split('\n', 1)[0]}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`--config ${file}: must hold a YAML map of settings`);
  }
  return value as { readonly [key: string]: unknown };
}

function applyConfig(command: Command, file: string, config: { readonly [key: string]: unknown }): void {
  const options = new Map(command.options.map((option) => [option.name(), option]));
  for (const [key, value] of Object.entries(config)) {
    const option = options.get(key);
    if (option === undefined || key === 'config') {
      throw new UsageError(
        `--config ${file}: unknown setting ${key}; known are: ${[...options.keys()].join(', ')}`,
      );
    }
    const source = command.getOptionValueSource(option.attributeName());
    if (source === 'cli' || source === 'env') continue;
    try {
      const text = String(value);
      if (option.argChoices !== undefined && !option.argChoices.includes(text)) {
        throw new InvalidArgumentError(`allowed choices are ${option.argChoices.join(', ')}`);
      }
      const parsed: unknown = option.isBoolean()
        ? value === true
        : option.parseArg === undefined
          ? text
          : option.parseArg(text, undefined);
      command.setOptionValueWithSource(option.attributeName(), parsed, 'config');
    } catch (error) {
      throw new UsageError(`--config ${file}: ${key}: ${(error as Error).message}`);
    }
  }
}

export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError('must be a port number between 0 and 65535 (0: any free one)');
  }
  return Number(text);
}

export function parsePositive(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError('must be a whole number of at least 1');
  return Number(text);
}

export function parseBoolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new InvalidArgumentError('must be true or false');
  return text === 'true';
}

/** At least 0. */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number of at least 0');
  return Number(text);
}

/** `root:acme:shop`; a logical-cluster name may stand in front (docs/workspaces.md, Addressing). */
export function parseWorkspacePath(text: string): string {
  if (workspacePathPattern.test(text)) return text;
  throw new InvalidArgumentError('must be a path of workspaces like root:acme:shop');
}

/** For names that a validator of the API holds to: what is refused there is refused before anything is done. */
export function parseName(validate: (name: string) => readonly string[]): (text: string) => string {
  return (text) => {
    const [problem] = validate(text);
    if (problem !== undefined) throw new InvalidArgumentError(problem);
    return text;
  };
}

/** A Go duration (`20s`, `1m30s`, `0`), as milliseconds. */
export function parseDurationMs(text: string): number {
  const nanoseconds = parseGoDuration(text);
  if (nanoseconds === undefined || nanoseconds < 0n) {
    throw new InvalidArgumentError('must be a duration such as 20s or 1m30s');
  }
  return Number(nanoseconds / 1_000_000n);
}

/** `--timeout`, in milliseconds; a number without a unit is seconds, as for kubectl. */
export function timeoutOption(description: string, defaultTimeout: string): Option {
  const parse = (text: string) => parseDurationMs(/^\d+$/.test(text) ? `${text}s` : text);
  return new Option('--timeout <duration>', `${description}, such as 90s or 10m`)
    .argParser(parse)
    .default(parse(defaultTimeout), defaultTimeout);
}

/** `a,b`; empty ones are left out. */
export function parseList(text: string): readonly string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** `a=b,c=d`. */
export function parseLabels(text: string): { [key: string]: string } {
  const labels: { [key: string]: string } = {};
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    if (at < 1) throw new InvalidArgumentError('must be labels as key=value, separated by commas');
    labels[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return labels;
}
