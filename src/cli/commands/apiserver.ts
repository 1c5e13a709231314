import type { Command } from 'commander';
import { serverCommand } from '../server-command.ts';

export function apiserverCommand(): Command {
  return serverCommand({
    name: 'apiserver',
    description: 'the federation API server: workspaces, storage and the server’s own controllers',
    mode: 'federation',
    dataDir: '.cellplane/apiserver',
    port: 6443,
  });
}
