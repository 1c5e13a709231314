import { startCellplane } from '../harness/processes.ts';

/** An API server alone, on a port of its choice, that says warnings only. Ends with its disposal. */
export function startApiServer(dataFolder: string): ReturnType<typeof startCellplane> {
  return startCellplane(['apiserver', '--data-dir', dataFolder, '--port', '0', '--log-level', 'warn']);
}
