import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { openSecretbox, sealSecretbox, secretboxKeyBytes, secretboxNonceBytes } from './secretbox.ts';

/** One key of one provider (KUBERNETES.md O5). Values begin with its prefix, as kube-apiserver's do in etcd. */
export interface Transformer {
  /** `k8s:enc:aesgcm:v1:key1:`; empty for the identity. */
  readonly prefix: Buffer;
  /** Tells keys of one name apart; absent where the name alone says which it is. */
  readonly fingerprint?: string | undefined;
  /** Without the prefix. `context`: the storage key, which some providers bind the value to. */
  seal(plain: Buffer, context: string): Buffer;
  /** Undefined for bytes that were not sealed with this key. */
  open(sealed: Buffer, context: string): Buffer | undefined;
  /** What has to settle before `open` can tell about this value: a key must be fetched. Undefined: nothing. */
  prepare?(sealed: Buffer): Promise<void> | undefined;
  /** Whether a value that it opens should be sealed anew, with its newer key. */
  isOutdated?(sealed: Buffer): boolean;
  /** Why `open` gave nothing, where more is known than that the key does not fit. */
  whyNot?(sealed: Buffer): string | undefined;
}

export type ProviderName = 'aescbc' | 'aesgcm' | 'secretbox';

/** Lengths of keys in bytes. */
export const keyLengths: { readonly [name in ProviderName]: readonly number[] } = {
  aescbc: [16, 24, 32],
  aesgcm: [16, 24, 32],
  secretbox: [secretboxKeyBytes],
};

const gcmNonceBytes = 12;
const gcmTagBytes = 16;
const cbcBlockBytes = 16;

export const identityTransformer: Transformer = {
  prefix: Buffer.alloc(0),
  seal: (plain) => plain,
  open: (sealed) => sealed,
};

export function transformerOf(provider: ProviderName, keyName: string, key: Buffer): Transformer {
  const prefix = Buffer.from(`k8s:enc:${provider}:v1:${keyName}:`);
  const fingerprint = createHash('sha256').update(key).digest('hex');
  switch (provider) {
    case 'aesgcm':
      return {
        ...{ prefix, fingerprint },
        seal: (plain, context) => sealGcm(key, plain, context),
        open: (sealed, context) => openGcm(key, sealed, context),
      };
    case 'aescbc':
      return {
        ...{ prefix, fingerprint },
        seal: (plain) => sealCbc(key, plain),
        open: (sealed) => openCbc(key, sealed),
      };
    case 'secretbox':
      return {
        ...{ prefix, fingerprint },
        seal: (plain) => {
          const nonce = randomBytes(secretboxNonceBytes);
          return Buffer.concat([nonce, sealSecretbox(key, nonce, plain)]);
        },
        open: (sealed) => {
          const nonce = sealed.subarray(0, secretboxNonceBytes);
          if (nonce.length < secretboxNonceBytes) return undefined;
          return openSecretbox(key, nonce, sealed.subarray(secretboxNonceBytes));
        },
      };
  }
}

/** Nonce, ciphertext, tag. The storage key is authenticated with it: a value moved to another key does not open. */
export function sealGcm(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(gcmNonceBytes);
  const cipher = createCipheriv(gcmName(key), key, nonce);
  cipher.setAAD(Buffer.from(context));
  const sealed = [nonce, cipher.update(plain), cipher.final()];
  return Buffer.concat([...sealed, cipher.getAuthTag()]);
}

export function openGcm(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < gcmNonceBytes + gcmTagBytes) return undefined;
  const decipher = createDecipheriv(gcmName(key), key, sealed.subarray(0, gcmNonceBytes));
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - gcmTagBytes));
  const plain = decipher.update(sealed.subarray(gcmNonceBytes, sealed.length - gcmTagBytes));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

/** Initialization vector, ciphertext with PKCS #7 padding. Nothing authenticates it: aesgcm and secretbox do. */
function sealCbc(key: Buffer, plain: Buffer): Buffer {
  const iv = randomBytes(cbcBlockBytes);
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv);
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]);
}

function openCbc(key: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < 2 * cbcBlockBytes || sealed.length % cbcBlockBytes !== 0) return undefined;
  const iv = sealed.subarray(0, cbcBlockBytes);
  const decipher = createDecipheriv(`aes-${key.length * 8}-cbc`, key, iv);
  try {
    return Buffer.concat([decipher.update(sealed.subarray(cbcBlockBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function gcmName(key: Buffer): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  return `aes-${(key.length * 8) as 128 | 192 | 256}-gcm`;
}
