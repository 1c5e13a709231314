import { Command } from 'commander';
import { ApiError } from '#apimachinery/api-error.ts';
import { apiserverCommand } from './commands/apiserver.ts';
import { backupCommand, restoreCommand } from './commands/backup.ts';
import { cellCommand } from './commands/cell.ts';
import { edgeCommand } from './commands/edge.ts';
import { explainCommand } from './commands/explain.ts';
import { federatorCommand } from './commands/federator.ts';
import { migrateStorageCommand } from './commands/migrate-storage.ts';
import { schedulerCommand } from './commands/scheduler.ts';
import { startCommand } from './commands/start.ts';
import { versionCommand } from './commands/version.ts';
import { workspaceCommand } from './commands/workspace.ts';
import { UsageError } from './run-command.ts';
import { version } from './version.ts';

/**
 * Bytes of the buffers that Node hands out small ones from. With the usual 8 KiB each object over 4 KiB would be several
 * allocations of its own, as body, as stored value and as answer, which the collector has to follow.
 */
Buffer.poolSize = 64 * 1024;

const program = new Command('cellplane')
  .description(
    'A Kubernetes-compatible, workspaced federation API server with a cell scheduler and isolated federators.\n' +
      'Settings are read from flags, then CELLPLANE_* variables, then the YAML file that --config names.',
  )
  .version(version, '--version', 'print the version')
  .configureHelp({ sortSubcommands: false });

for (const command of [
  startCommand(),
  apiserverCommand(),
  schedulerCommand(),
  federatorCommand(),
  edgeCommand(),
  workspaceCommand(),
  cellCommand(),
  explainCommand(),
  backupCommand(),
  restoreCommand(),
  migrateStorageCommand(),
  versionCommand(),
]) {
  program.addCommand(command);
}
tellErrors(program);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = 1;
  if (error instanceof UsageError || error instanceof ApiError || hasCode(error)) {
    process.stderr.write(`cellplane: ${(error as Error).message}\n`);
  } else {
    process.stderr.write(
      `cellplane: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
}

/** How commands tell what is wrong in a command line; those that are added do not inherit it. */
function tellErrors(command: Command): void {
  command.showHelpAfterError('(add --help for what can be given)');
  command.configureOutput({
    outputError: (text, write) =>
      write(
        text
          .replace(/^error: (command-argument )?/, 'cellplane: ')
          .replace(/ is invalid( for argument '[^']*')?\. /, ' is invalid$1: '),
      ),
  });
  for (const subcommand of command.commands) tellErrors(subcommand);
}

/** Operating errors (a taken port, an unusable folder) carry a code and a message for people; defects do not. */
function hasCode(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}
