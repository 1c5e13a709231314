import { LRUCache } from 'lru-cache';
import { sha256Base32 } from '#apimachinery/hash.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';

const bindingNamesRememberedMax = 10_000;
const objectLengthMax = 253;

/** `<name>-<resource>.<group>-<hash>`, cut to 253: unique per object of the namespace, whatever its group. */
export function bindingName(group: string, resource: string, name: string): string {
  const key = `${group}/${resource}/${name}`;
  let made = bindingNames.get(key);
  if (made === undefined) {
    made = makeBindingName(group, resource, name);
    bindingNames.set(key, made);
  }
  return made;
}

/** Asked for several times in each look at an object. */
const bindingNames = new LRUCache<string, string>({ max: bindingNamesRememberedMax });

function makeBindingName(group: string, resource: string, name: string): string {
  const kind = group === '' ? resource : `${resource}.${group}`;
  const hash = sha256Base32(`${group.length}:${group}${resource.length}:${resource}${name}`, 10);
  const readable = asSubdomain(name);
  const room = objectLengthMax - kind.length - hash.length - 2;
  // A cut must not leave a separator before the next `-`: `a.-b` is no subdomain.
  const head = readable.slice(0, Math.max(0, room)).replace(/[^a-zA-Z0-9]+$/, '');
  return head === '' ? `${kind}-${hash}` : `${head}-${kind}-${hash}`;
}

/** RBAC names may hold characters that a binding's name must not. A name that is a subdomain stays as it is. */
function asSubdomain(name: string): string {
  if (dns1123Subdomain(name).length === 0) return name; // as nearly all are
  return name
    .toLowerCase()
    .split('.')
    .map((label) =>
      label.replace(/[^a-z0-9]+/g, (run) => (/^-+$/.test(run) ? run : '-')).replace(/^-+|-+$/g, ''),
    )
    .filter((label) => label !== '')
    .join('.');
}
