import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import {
  type KmsDecryptRequest,
  type KmsEncryptRequest,
  type KmsMethod,
  type KmsStatus,
  kmsDecryptMethod,
  kmsEncryptMethod,
  kmsStatusMethod,
} from '../kms-messages.ts';

type Answer = (request: object) => object;

const annotation = 'fake.kms.example.org';

/** A KMS plugin at a unix socket, with keys of its own: tests rotate them, lose them and let it fail. */
export class FakeKmsPlugin {
  readonly socketPath: string;
  /** Calls so far, by method. */
  readonly calls = { status: 0, encrypt: 0, decrypt: 0 };
  /** The answer to Status. */
  health = 'ok';
  version = 'v2';
  keyId = 'key-1';
  /** gRPC code that calls of a method fail with. */
  readonly failures: { status?: number; encrypt?: number; decrypt?: number } = {};
  /** Keys by their ids; Decrypt refuses others as not found. */
  readonly keys = new Map<string, Buffer>();
  #server: Server | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  async start(): Promise<void> {
    const server = new Server();
    server.addService(
      {
        status: definition(kmsStatusMethod),
        encrypt: definition(kmsEncryptMethod),
        decrypt: definition(kmsDecryptMethod),
      },
      {
        status: this.#handler('status', () => this.#status()),
        encrypt: this.#handler('encrypt', (request) => this.#encrypt(request as KmsEncryptRequest)),
        decrypt: this.#handler('decrypt', (request) => this.#decrypt(request as KmsDecryptRequest)),
      },
    );
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${this.socketPath}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    this.#server = server;
  }

  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  #handler(name: 'status' | 'encrypt' | 'decrypt', answer: Answer) {
    return (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>): void => {
      this.calls[name]++;
      const code = this.failures[name];
      if (code !== undefined) {
        callback({ code, details: `${name} fails` });
        return;
      }
      try {
        callback(null, answer(call.request));
      } catch (error) {
        callback({ code: 5, details: (error as Error).message });
      }
    };
  }

  #status(): KmsStatus {
    return { version: this.version, healthz: this.health, key_id: this.keyId };
  }

  #encrypt({ plaintext }: KmsEncryptRequest): object {
    const key = this.keys.get(this.keyId) ?? randomBytes(32);
    this.keys.set(this.keyId, key);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    const ciphertext = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return { ciphertext, key_id: this.keyId, annotations: [{ key: annotation, value: Buffer.from('1') }] };
  }

  #decrypt({ ciphertext, key_id, annotations }: KmsDecryptRequest): object {
    const key = this.keys.get(key_id);
    if (key === undefined) throw new Error(`no key ${key_id}`);
    if (annotations[0]?.key !== annotation) throw new Error('the annotations are not those that were given');
    const decipher = createDecipheriv('aes-256-gcm', key, ciphertext.subarray(0, 12));
    decipher.setAuthTag(ciphertext.subarray(ciphertext.length - 16));
    const plaintext = decipher.update(ciphertext.subarray(12, ciphertext.length - 16));
    decipher.final();
    return { plaintext };
  }
}

function definition<Request extends object, Response extends object>({
  path,
  request,
  response,
}: KmsMethod<Request, Response>) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: Request) => request.encode(message),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (message: Response) => response.encode(message),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  };
}
