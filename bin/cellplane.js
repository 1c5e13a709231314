#!/usr/bin/env node
// Syntax and modules of old versions of Node.js alone: what the program itself imports they do not have, and say so in their words.
import { existsSync, readFileSync } from 'node:fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [major, minor] = process.versions.node.split('.').map(Number);
const [majorMin, minorMin] = engines.node.replace('>=', '').split('.').map(Number);

if (major < majorMin || (major === majorMin && minor < minorMin)) {
  fail(
    `needs Node.js ${majorMin}.${minorMin} or newer; this is ${process.versions.node} (${process.execPath})`,
  );
} else if (!existsSync(new URL('../dist/cellplane.js', import.meta.url))) {
  fail('not built yet; run: npm ci && npm run build');
} else {
  await import('../dist/cellplane.js');
}

function fail(message) {
  process.stderr.write(`cellplane: ${message}\n`);
  process.exitCode = 1;
}
