import type {
  KmsDecryptRequest,
  KmsDecryptResponse,
  KmsEncryptRequest,
  KmsEncryptResponse,
  KmsStatus,
} from './kms-messages.ts';

/** A provider `kms` of an EncryptionConfiguration. */
export interface KmsSpec {
  /** Part of the prefix of what it seals. */
  readonly name: string;
  /** Of the unix socket that the plugin listens at. */
  readonly socketPath: string;
  /** For each call. */
  readonly timeoutMs: number;
}

/** A KMS plugin of version 2. Calls reject with KmsCallError. */
export interface KmsService {
  status(): Promise<KmsStatus>;
  encrypt(request: KmsEncryptRequest): Promise<KmsEncryptResponse>;
  decrypt(request: KmsDecryptRequest): Promise<KmsDecryptResponse>;
  close(): void;
}

/** gRPC's codes with which the same question will be answered the same way. */
const refusals: ReadonlySet<number> = new Set([
  3, // INVALID_ARGUMENT
  5, // NOT_FOUND
  9, // FAILED_PRECONDITION
  11, // OUT_OF_RANGE
  12, // UNIMPLEMENTED
  15, // DATA_LOSS
]);
/** Codes that say that nobody has looked at the question. */
const absences: ReadonlySet<number> = new Set([
  1, // CANCELLED
  4, // DEADLINE_EXCEEDED
  8, // RESOURCE_EXHAUSTED
  14, // UNAVAILABLE
]);

export class KmsCallError extends Error {
  override readonly name = 'KmsCallError';
  /** Of gRPC. */
  readonly code: number;

  constructor(code: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** It will say the same again. */
  get isRefusal(): boolean {
    return refusals.has(this.code);
  }

  /** The plugin was not reached, or was too slow; else it answered, if only that something went wrong. */
  get isAbsence(): boolean {
    return absences.has(this.code);
  }
}
