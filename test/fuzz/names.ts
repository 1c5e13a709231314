import assert from 'node:assert/strict';
import { dns1123Label, dns1123Subdomain } from '#apimachinery/names.ts';
import { createNameMapper } from '#scheduler/projection/names.ts';

interface Input {
  readonly clusterId: string;
  readonly prefix: string;
  /** Empty: a namespace. */
  readonly resource: string;
  readonly name: string;
}

const prefixes = ['a', 'shop', 'shop-a', 'a-b-c', `${'x'.repeat(62)}y`, 'x'.repeat(63), '0', 'shop-default'];
const resources = ['', '', 'persistentvolumes', 'storageclasses', 'csidrivers', 'clusterroles'];
const groups: { readonly [resource: string]: string } = {
  storageclasses: 'storage.k8s.io',
  csidrivers: 'storage.k8s.io',
  clusterroles: 'rbac.authorization.k8s.io',
};
const characters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const progressEvery = 500_000;

/**
 * Maps `runs` names of random projects, most of which look alike in what of them is readable: each must be valid for its
 * kind, the same when it is asked for again, and no other's. Throws with both inputs. Memory: 24 bytes for each run.
 */
export function checkNames(options: {
  readonly seed: number;
  readonly runs: number;
  readonly onProgress?: ((runs: number) => void) | undefined;
}): void {
  const { seed, runs, onProgress } = options;
  const slots = 2 ** Math.ceil(Math.log2(Math.max(2, runs) * 1.5));
  const prints = new Float64Array(slots);
  const owners = new Uint32Array(slots);
  for (let index = 0; index < runs; index++) {
    const input = inputOf(seed, index);
    const mapped = mappedName(input);
    const errors = input.resource === '' ? dns1123Label(mapped) : dns1123Subdomain(mapped);
    assert.deepEqual(errors, [], `${mapped} of ${JSON.stringify(input)}, seed ${seed}`);
    if (input.resource === 'csidrivers') assert.ok(mapped.length <= 63, mapped);
    if (index % 64 === 0) assert.equal(mappedName({ ...input }), mapped);
    const print = fingerprint(mapped);
    let at = print % slots;
    for (; prints[at] !== 0; at = (at + 1) % slots) {
      if (prints[at] !== print) continue;
      const other = inputOf(seed, owners[at]!);
      const isSame = JSON.stringify(other) === JSON.stringify(input);
      const told = `${JSON.stringify(other)} and ${JSON.stringify(input)} both become ${mapped}, seed ${seed}`;
      assert.ok(isSame || mappedName(other) !== mapped, told);
    }
    prints[at] = print;
    owners[at] = index;
    if (index % progressEvery === 0) onProgress?.(index);
  }
}

function mappedName({ clusterId, prefix, resource, name }: Input): string {
  const mapper = createNameMapper({ controlPlaneId: 'cp', clusterId, prefix });
  return resource === ''
    ? mapper.namespace(name)
    : mapper.clusterScoped(groups[resource] ?? '', resource, name);
}

/** The input of one run, from nothing but the seed and its number. */
function inputOf(seed: number, index: number): Input {
  const random = generator(seed, index);
  const pick = <T>(from: readonly T[]): T => from[random() % from.length]!;
  const resource = pick(resources);
  // A project keeps the prefix that it had first.
  const cluster = random() % 5_000;
  const prefix = prefixes[cluster % prefixes.length]!;
  return { clusterId: `c${cluster}`, prefix, resource, name: nameOf(random, resource) };
}

function nameOf(random: () => number, resource: string): string {
  const lengthMax = resource === '' ? 63 : 253;
  const shape = random() % 4;
  if (shape === 0) return `n${random() % 1_000_000}`;
  if (shape === 1) return `default-${random() % 1_000}`;
  const length = shape === 2 ? lengthMax : 1 + (random() % lengthMax);
  let name = '';
  while (name.length < length) {
    const inside = name.length > 0 && name.length < length - 1 && /[a-z0-9]$/.test(name);
    const draw = random();
    if (inside && draw % 9 === 0) name += resource === '' || draw % 2 === 0 ? '-' : '.';
    else name += characters[draw % characters.length];
  }
  return name;
}

/** Mulberry32, begun anew for each run. */
function generator(seed: number, index: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return (value ^ (value >>> 14)) >>> 0;
  };
}

/** 52 bits of a text, never 0: two FNV-1a hashes with different beginnings. */
function fingerprint(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995);
  }
  return (high & 0xfffff) * 2 ** 32 + (low >>> 0) + 1;
}
