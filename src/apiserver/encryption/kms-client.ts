import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  type KmsDecryptRequest,
  type KmsEncryptRequest,
  type KmsMethod,
  kmsDecryptMethod,
  kmsEncryptMethod,
  kmsStatusMethod,
} from './kms-messages.ts';
import { KmsCallError, type KmsService, type KmsSpec } from './kms-service.ts';

/** Largest answer that is taken: a key, its id and its annotations. */
const answerBytesMax = 1024 * 1024;

const channelOptions = {
  'grpc.max_receive_message_length': answerBytesMax,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
} as const;

/** A KMS plugin behind a unix socket. Connects with the first call; each has the configured timeout. */
export class KmsClient implements KmsService {
  readonly #client: Client;
  readonly #timeoutMs: number;

  constructor({ socketPath, timeoutMs }: KmsSpec) {
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), channelOptions);
    this.#timeoutMs = timeoutMs;
  }

  status() {
    return this.#call(kmsStatusMethod, {});
  }

  encrypt(request: KmsEncryptRequest) {
    return this.#call(kmsEncryptMethod, request);
  }

  decrypt(request: KmsDecryptRequest) {
    return this.#call(kmsDecryptMethod, request);
  }

  close(): void {
    this.#client.close();
  }

  #call<Request extends object, Response extends object>(
    method: KmsMethod<Request, Response>,
    request: Request,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<Request, Response>(
        method.path,
        (message) => method.request.encode(message),
        (bytes) => method.response.decode(bytes),
        request,
        new Metadata(),
        { deadline: Date.now() + this.#timeoutMs },
        (error: ServiceError | null, response) => {
          if (error !== null) reject(new KmsCallError(error.code, error.details, error));
          else if (response === undefined) reject(new KmsCallError(2, 'no answer'));
          else resolve(response);
        },
      );
    });
  }
}
