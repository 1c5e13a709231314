import type { JsonObject } from '#apimachinery/json.ts';

/** The Kubernetes release whose API is served: clients compare against it. */
export const kubernetesVersion = { major: '1', minor: '36', patch: '0' } as const;

/** Go's names of processors, where Node has others. */
const goArchitectures: { readonly [architecture: string]: string } = { x64: 'amd64', ia32: '386' };

/** KUBERNETES.md D7: `/version`. `productVersion` stands in the build metadata, which semantic versions leave free. */
export function versionInfo(productVersion: string): JsonObject {
  const { major, minor, patch } = kubernetesVersion;
  return {
    major,
    minor,
    // No other release is emulated; what this one stores, the one before can read.
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: `v${major}.${minor}.${patch}+cellplane-${productVersion.replace(/[^0-9A-Za-z.-]/g, '-')}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: `node ${process.version}`,
    platform: `${process.platform}/${goArchitectures[process.arch] ?? process.arch}`,
  };
}
