import type { Command } from 'commander';
import { type DestinationStream, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { ApiError } from '#apimachinery/api-error.ts';
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

/**
 * One JSON object a line on standard output, written synchronously so that a crash loses none: `level` by its name, `time` as
 * RFC 3339 in UTC, for whoever reads it without a program, and `name`, which process it is.
 */
export function createLogger(
  name: string,
  { logLevel }: LogSettings,
  destination: DestinationStream = pino.destination({ dest: 1, sync: true }),
): Logger {
  const options = {
    name,
    level: logLevel,
    base: {},
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
    serializers: { err: loggedError },
  };
  return pino(options, destination);
}

/**
 * An error as a field of a log line. What an API server answers to what it was asked is told without a stack: that says where the
 * answer was read, at every retry again. A fault (500 and above) keeps it.
 */
export function loggedError(error: unknown): unknown {
  if (!(error instanceof ApiError) || error.code >= 500) return stdSerializers.err(error as Error);
  const { code, reason, message, details } = error;
  return { type: error.name, code, reason, message, ...(details === undefined ? {} : { details }) };
}
