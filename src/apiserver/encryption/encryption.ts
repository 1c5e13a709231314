import type { KeyValue, Revision, StorageKey } from '#storage/storage.ts';
import { markStale, unreadableValue } from '../registry/unreadable-value.ts';
import type { EncryptionRule } from './encryption-configuration.ts';
import { identityTransformer, type Transformer } from './transformers.ts';

const none: readonly Transformer[] = [identityTransformer];
/** Every sealed value begins so; a stored object begins with its format's number. */
const sealedMark = Buffer.from('k8s:enc:');
/** Pairs of group and resource whose rule is remembered: far more than there are kinds. */
const rulesMax = 100_000;

/**
 * Which values are encrypted, and how (KUBERNETES.md O5). A value is opened by its own prefix, whatever the order of the
 * providers; one that none of them opens becomes an object that cannot be read, and says why when somebody asks for it.
 */
export class Encryption {
  #rules: readonly EncryptionRule[];
  #byResource = new Map<string, readonly Transformer[]>();
  /** Values of writes up to it may be sealed with what is no longer the first provider. */
  #staleUpTo = 0 as Revision;

  /** Whether a value could not be opened since these rules hold. */
  #hasFailed = false;

  /** Whether a provider may have to fetch keys. */
  #prepares: boolean;

  constructor(rules: readonly EncryptionRule[]) {
    this.#rules = rules;
    this.#prepares = mayPrepare(rules);
  }

  /**
   * Takes other rules for what is read and written from now on. `revision`: the store's, now. What they open otherwise than the
   * former ones: a key is gone, or one came while there are values that nobody could open. Whoever keeps opened values reads
   * them anew then.
   */
  replace(rules: readonly EncryptionRule[], revision: Revision): 'all as before' | 'some otherwise' {
    const [former, now] = [providersIn(this.#rules), providersIn(rules)];
    const isGone = [...former].some((one) => !now.has(one)) || hidesWhatIsClear(this.#rules, rules);
    const mayOpen = this.#hasFailed && [...now].some((one) => !former.has(one));
    this.#hasFailed = false;
    this.#rules = rules;
    this.#prepares = mayPrepare(rules);
    this.#byResource = new Map();
    this.#staleUpTo = revision;
    return isGone || mayOpen ? 'some otherwise' : 'all as before';
  }

  /** Values of writes up to this revision are to be sealed anew: a provider has another key. `revision`: the store's. */
  keyChanged(revision: Revision): void {
    this.#staleUpTo = revision;
  }

  /**
   * What has to settle before these values can be opened: keys that a provider must fetch. Undefined: nothing. Rejects
   * with StorageError `unavailable` when a provider cannot be asked.
   */
  prepare(items: Iterable<Pick<KeyValue, 'key' | 'value'>>): Promise<void> | undefined {
    if (!this.#prepares) return undefined;
    const waits = new Set<Promise<void>>();
    for (const { key, value } of items) {
      if (!isSealed(value)) continue;
      for (const one of this.#transformersOf(key)) {
        if (one.prepare === undefined || !startsWith(value, one.prefix)) continue;
        const wait = one.prepare(value.subarray(one.prefix.length));
        if (wait !== undefined) waits.add(wait);
      }
    }
    return waits.size === 0 ? undefined : Promise.all(waits).then(() => undefined);
  }

  /** Throws ApiError when the first provider cannot seal now. */
  seal(key: StorageKey, plain: Buffer): Buffer {
    const [first = identityTransformer] = this.#transformersOf(key);
    if (first === identityTransformer) return plain;
    return Buffer.concat([first.prefix, first.seal(plain, key)]);
  }

  /** Never throws: what cannot be opened is given as an object that cannot be read. */
  open(key: StorageKey, stored: Buffer): Buffer {
    const opened = this.#open(key, stored);
    if (Buffer.isBuffer(opened)) return opened;
    this.#hasFailed = true;
    return unreadableValue(key, opened.why);
  }

  #open(key: StorageKey, stored: Buffer): Buffer | { readonly why: string } {
    const transformers = this.#transformersOf(key);
    const isFirst = (one: Transformer) => one === transformers[0];
    if (!isSealed(stored)) {
      if (isFirst(identityTransformer)) return stored;
      if (transformers.includes(identityTransformer)) return markStale(stored);
      return { why: 'it is stored in the clear, and no identity provider is configured for it' };
    }
    for (const one of transformers) {
      const { prefix } = one;
      if (prefix.length === 0 || !startsWith(stored, prefix)) continue;
      const sealed = stored.subarray(prefix.length);
      const plain = one.open(sealed, key);
      if (plain === undefined) {
        const why = one.whyNot?.(sealed);
        const fallback = `its key ${prefix} does not fit: it was sealed with another`;
        return { why: why === undefined ? fallback : `${prefix} ${why}` };
      }
      return isFirst(one) && one.isOutdated?.(sealed) !== true ? plain : markStale(plain);
    }
    const named = /^k8s:enc:[^:]+:v\d+:[^:]+:/.exec(stored.toString('latin1', 0, 256))?.[0];
    return { why: `no configured provider has its key (${named ?? 'unknown prefix'})` };
  }

  /** Whether a value that was read has to be written again to be sealed with the first provider. */
  isStale({ key, revision }: KeyValue): boolean {
    return revision <= this.#staleUpTo && this.#transformersOf(key) !== none;
  }

  #transformersOf(key: StorageKey): readonly Transformer[] {
    // `/<group>/<resource>/…`: the part before the third slash tells the rule.
    const end = key.indexOf('/', key.indexOf('/', 1) + 1);
    const resource = key.slice(0, end);
    let transformers = this.#byResource.get(resource);
    if (transformers === undefined) {
      transformers = this.#find(key);
      if (this.#byResource.size >= rulesMax) this.#byResource.clear();
      this.#byResource.set(resource, transformers);
    }
    return transformers;
  }

  #find(key: StorageKey): readonly Transformer[] {
    const [, head = '', resource = ''] = key.split('/');
    const group = head === 'core' ? '' : head;
    // What the server keeps for itself holds nothing of anybody's.
    if (group === 'internal.cellplane.io') return none;
    const names = new Set(['*.*', `*.${group}`, group === '' ? resource : `${resource}.${group}`]);
    return this.#rules.find(({ resources }) => resources.some((one) => names.has(one)))?.transformers ?? none;
  }
}

/** Every key of every resource that is named; the identity among them. */
function providersIn(rules: readonly EncryptionRule[]): ReadonlySet<string> {
  return new Set(
    rules.flatMap(({ resources, transformers }) =>
      resources.flatMap((resource) =>
        transformers.map(({ prefix, fingerprint = '' }) => `${resource} ${prefix.toString()} ${fingerprint}`),
      ),
    ),
  );
}

/** Whether resources of which nothing was said, and whose values are in the clear, now have providers without the identity. */
function hidesWhatIsClear(former: readonly EncryptionRule[], now: readonly EncryptionRule[]): boolean {
  const named = new Set(former.flatMap(({ resources }) => resources));
  return now.some(
    ({ resources, transformers }) =>
      !transformers.includes(identityTransformer) && resources.some((resource) => !named.has(resource)),
  );
}

function mayPrepare(rules: readonly EncryptionRule[]): boolean {
  return rules.some(({ transformers }) => transformers.some(({ prepare }) => prepare !== undefined));
}

function isSealed(value: Buffer): boolean {
  return startsWith(value, sealedMark);
}

function startsWith(value: Buffer, prefix: Buffer): boolean {
  return value.subarray(0, prefix.length).equals(prefix);
}
