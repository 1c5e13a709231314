// Every kubectl that is installed against a running server: transcripts of command lines, compared as text.
// CELLPLANE_TEST_UPDATE=1 writes down what the newest prints instead, to be read over before it is committed.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openShell, type Shell } from './clients/kubectl/shell.ts';
import { appliesTo, formatTranscript, type Part, parseTranscript } from './clients/kubectl/transcript.ts';
import { makeWorkspace } from './clients/workspace-kubeconfig.ts';
import { type LoneServer, startLoneServer } from './harness/lone-server.ts';
import { getKubectl, kubectlPrograms } from './programs.ts';

const folder = path.resolve('test/clients/kubectl');
const files = readdirSync(folder).filter((name) => name.endsWith('.transcript'));
const programs = kubectlPrograms();
const newest = programs.at(-1);
const skip = newest === undefined ? `kubectl is not installed; ${getKubectl}` : false;
const update = process.env['CELLPLANE_TEST_UPDATE'] === '1';

describe('kubectl', { skip, timeout: 1_800_000, concurrency: 2 }, () => {
  let server: LoneServer;
  before(async () => {
    server = await startLoneServer();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  /** A shell whose kubectl works in a workspace of its own. */
  async function shellFor(program: string, version: string, name: string): Promise<Shell> {
    return openShell({
      program,
      home: path.join(server.dataDirectory, '..', name),
      kubeconfig: await makeWorkspace(server, name),
      workingDirectory: path.join(folder, 'manifests'),
      // Raw requests go to the path they name, below no workspace; from 1.34 on to that path of the kubeconfig's server.
      environment: { WORKSPACE: appliesTo('1.34+', version) ? '' : `/clusters/root:${name}` },
    });
  }

  for (const { version, file: program } of update ? programs.slice(-1) : programs) {
    for (const file of files) {
      const topic = path.basename(file, '.transcript');
      test(`${version}: ${topic}`, async () => {
        const shell = await shellFor(program, version, `${topic}-${version.replaceAll('.', '-')}`);
        const source = path.join(folder, file);
        const parts = parseTranscript(await readFile(source, 'utf8'));
        const seen: Part[] = [];
        const wrong: string[] = [];
        for (const part of parts) {
          if (typeof part === 'string' || !appliesTo(part.versions, version)) {
            seen.push(part);
            continue;
          }
          const got = await shell.run(part.command);
          if (got !== part.want)
            wrong.push(`${file}:${part.line}: $ ${part.command}\nwant:\n${part.want}\ngot:\n${got}\n`);
          seen.push({ ...part, want: got });
        }
        if (update) await writeFile(source, formatTranscript(seen));
        else assert.ok(wrong.length === 0, wrong.join('\n'));
      });
    }
  }
});
