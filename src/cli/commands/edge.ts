import type { Command } from 'commander';
import { serverCommand } from '../server-command.ts';

export function edgeCommand(): Command {
  return serverCommand({
    name: 'edge',
    description: 'an edge API server for a point of presence: one workspace, the whole Kubernetes API',
    mode: 'edge',
    dataDir: '.cellplane/edge',
    port: 6444,
  });
}
