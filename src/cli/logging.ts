import type { Command } from 'commander';
import { pino } from 'pino';
import type { Logger } from '#client/logger.ts';
import { setting } from './settings.ts';

export interface LogSettings {
  readonly logLevel: string;
}

export function withLogging(command: Command): Command {
  return command.addOption(
    setting('--log-level <level>', 'least severe log lines to write', {
      choices: ['debug', 'info', 'warn', 'error'],
      default: 'info',
    }),
  );
}

/** One JSON object a line on standard output, written synchronously so that a crash loses none. */
export function createLogger(name: string, { logLevel }: LogSettings): Logger {
  return pino({ name, level: logLevel, base: null }, pino.destination({ dest: 1, sync: true }));
}
