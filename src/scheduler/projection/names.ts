import { base32, sha256 } from '#apimachinery/hash.ts';

/** Changes when the rules below do; stands on every copy. */
export const mappingVersion = '1';

/** What a project's mapped names are made of. None of it ever changes for a project (DESIGN.md, Names). */
export interface MappingIdentity {
  readonly controlPlaneId: string;
  /** Logical cluster id. */
  readonly clusterId: string;
  /** The workspace's name at its first binding, as recorded: the readable beginning of each mapped name. */
  readonly prefix: string;
}

/** Maps a project's names to those in cell workspaces. Deterministic; the inverse goes through annotations only. */
export interface NameMapper {
  readonly identity: MappingIdentity;
  namespace(name: string): string;
  /** For cluster-scoped objects; the name inside a namespace does not change. */
  clusterScoped(group: string, resource: string, name: string): string;
}

const hashLength = 16;
const namespacesRememberedMax = 64;
const namespaceLengthMax = 63;
const objectLengthMax = 253;
/** A long workspace name is cut to this before the object's own name is. */
const prefixLengthMin = 20;

/** Kinds whose names are bounded more tightly than a subdomain: also used as labels. */
const lengthMaxByResource: { readonly [groupResource: string]: number | undefined } = {
  'csidrivers.storage.k8s.io': 63,
};

/**
 * `<prefix>-<name>-<hash>`: the hash is 16 characters of lower-case base32 of SHA-256 over control-plane id, logical
 * cluster id and name (for cluster scope also group and resource), 80 bits. `hashBits` cuts it for tests that must
 * see collisions.
 *
 *   namespace `web` of workspace `shop` → `shop-web-3f2k…`
 */
export function createNameMapper(identity: MappingIdentity, hashBits = hashLength * 5): NameMapper {
  const hash = (...parts: string[]): string => {
    // Lengths before the parts: no two lists of parts give the same text.
    const text = [identity.controlPlaneId, identity.clusterId, ...parts]
      .map((part) => `${part.length}:${part}`)
      .join('');
    const digest = sha256(text);
    if (hashBits < hashLength * 5) cutBits(digest, hashBits);
    return base32(digest, hashLength);
  };
  // Every copy asks for its namespace, and a project has few.
  const namespaces = new Map<string, string>();
  return {
    identity,
    namespace(name) {
      let mapped = namespaces.get(name);
      if (mapped === undefined) {
        mapped = assemble(identity.prefix, name, hash('namespace', name), namespaceLengthMax);
        if (namespaces.size >= namespacesRememberedMax) namespaces.clear();
        namespaces.set(name, mapped);
      }
      return mapped;
    },
    clusterScoped(group, resource, name) {
      if (group === '' && resource === 'namespaces') return this.namespace(name);
      const lengthMax =
        lengthMaxByResource[group === '' ? resource : `${resource}.${group}`] ?? objectLengthMax;
      return assemble(identity.prefix, name, hash('object', group, resource, name), lengthMax);
    },
  };
}

function cutBits(digest: Buffer, bits: number): void {
  for (let i = 0; i < digest.length; i++) {
    const kept = Math.max(0, Math.min(8, bits - i * 8));
    digest[i] = (digest[i] as number) & (0xff << (8 - kept)) & 0xff;
  }
}

function assemble(prefix: string, name: string, hash: string, lengthMax: number): string {
  const room = lengthMax - hash.length - 1;
  const head = trimEnd(prefix.slice(0, Math.max(prefixLengthMin, room - 1 - name.length)));
  const tail = trimEnd(name.slice(0, room - 1 - head.length));
  const readable = [head, tail].filter((part) => part !== '').join('-');
  return readable === '' ? `p-${hash}` : `${readable}-${hash}`;
}

/** A cut must not leave a separator before the next `-`: `a.-b` is no subdomain. */
function trimEnd(text: string): string {
  return text.replace(/[^a-zA-Z0-9]+$/, '');
}
