import type { JsonObject } from '#apimachinery/json.ts';
import { objectAt, objectsAt, textAt } from '../read.ts';

/** A file that a volume will have, and where in a projected volume it comes from ('' elsewhere). */
interface VolumeFile {
  readonly path: string;
  readonly source: string;
}

/** Files of one volume that hide one another (source: warningsForOverlappingVirtualPaths of Kubernetes' pkg/api/pod). */
export function overlappingPathWarnings(volumes: readonly JsonObject[]): string[] {
  const warnings: string[] = [];
  for (const volume of volumes) {
    const name = textAt(volume, 'name');
    const tell = (what: string, files: readonly VolumeFile[]) => {
      for (const overlap of overlapsOf(files)) {
        warnings.push(`volume "${name}" (${what}): overlapping paths: ${overlap}`);
      }
    };
    const map = objectAt(volume, 'configMap');
    if (map !== undefined) tell(`ConfigMap "${textAt(map, 'name')}"`, itemsOf(map, ''));
    const secret = objectAt(volume, 'secret');
    if (secret !== undefined) tell(`Secret "${textAt(secret, 'secretName')}"`, itemsOf(secret, ''));
    const downward = objectAt(volume, 'downwardAPI');
    if (downward !== undefined) tell('DownwardAPI', itemsOf(downward, ''));
    if (objectAt(volume, 'projected') === undefined) continue;
    const files: VolumeFile[] = [];
    for (const source of objectsAt(volume, 'projected', 'sources')) {
      const kinds = Object.keys(source);
      if (kinds.length === 0) warnings.push(`volume "${name}" (Projected) has no sources provided`);
      else files.push(...projectedFiles(source));
    }
    tell('Projected', files);
  }
  return warnings;
}

function itemsOf(holder: JsonObject, source: string): VolumeFile[] {
  return objectsAt(holder, 'items').map((item) => ({ path: textAt(item, 'path'), source }));
}

function projectedFiles(source: JsonObject): VolumeFile[] {
  const map = objectAt(source, 'configMap');
  if (map?.['items'] !== undefined) return itemsOf(map, `ConfigMap "${textAt(map, 'name')}"`);
  const secret = objectAt(source, 'secret');
  if (secret?.['items'] !== undefined) return itemsOf(secret, `Secret "${textAt(secret, 'name')}"`);
  const downward = objectAt(source, 'downwardAPI');
  if (downward?.['items'] !== undefined) return itemsOf(downward, 'DownwardAPI');
  const token = objectAt(source, 'serviceAccountToken');
  if (token !== undefined) return [{ path: textAt(token, 'path'), source: 'ServiceAccountToken' }];
  const bundle = objectAt(source, 'clusterTrustBundle');
  if (bundle !== undefined) {
    const name = textAt(bundle, 'name') || textAt(bundle, 'signerName');
    return [{ path: textAt(bundle, 'path'), source: `ClusterTrustBundle "${name}"` }];
  }
  const certificate = objectAt(source, 'podCertificate');
  return [
    { path: textAt(certificate, 'certificateChainPath'), source: 'PodCertificate chain' },
    { path: textAt(certificate, 'keyPath'), source: 'PodCertificate key' },
    { path: textAt(certificate, 'credentialBundlePath'), source: 'PodCertificate credential bundle' },
  ].filter(({ path }) => path !== '');
}

function overlapsOf(files: readonly VolumeFile[]): string[] {
  const overlaps: string[] = [];
  const before: VolumeFile[] = [];
  for (const { path: given, source } of files) {
    const file: VolumeFile = { path: given.replace(/\/+$/, ''), source };
    for (const other of file.path === '' ? [] : before) {
      const [a, b] = [`${file.path}/`, `${other.path}/`];
      if (other.path !== '' && (a.startsWith(b) || b.startsWith(a))) {
        overlaps.push(`${textOf(file)} with ${textOf(other)}`);
      }
    }
    before.push(file);
  }
  return overlaps;
}

function textOf({ path, source }: VolumeFile): string {
  return source === '' ? `"${path}"` : `"${path}" (${source})`;
}
