// Adds to package-lock.json the optional platform packages that npm left out because the registry in use does not hold
// them: `npm ci` elsewhere insists on their entries. Run after every change of dependencies.
import { readFileSync, writeFileSync } from 'node:fs';

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = ['arm64', 'arm', 'x64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x'];
const processorAliases = {
  armv7l: 'arm',
  'arm-eabi': 'arm',
  'arm-gnueabihf': 'arm',
  'arm-musleabihf': 'arm',
};

const file = 'package-lock.json';
const lock = JSON.parse(readFileSync(file, 'utf8'));
let added = 0;
for (const parent of Object.values(lock.packages)) {
  delete parent.resolved;
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] !== undefined || !/^\d/.test(version)) continue;
    const suffix = name.slice(name.lastIndexOf('/') + 1);
    const system = systems.find((one) => suffix.includes(one));
    const alias = Object.keys(processorAliases).find((one) => suffix.includes(one));
    const processor =
      alias === undefined ? processors.find((one) => suffix.includes(one)) : processorAliases[alias];
    lock.packages[key] = {
      version,
      ...(parent.dev === true ? { dev: true } : {}),
      optional: true,
      ...(processor === undefined ? {} : { cpu: [processor] }),
      ...(system === undefined ? {} : { os: [system] }),
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} entries added`);
