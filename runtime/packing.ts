/**
 * What every envelope goes through between its sealing and the table: a limit on its size, and the encryption.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Cipher, type EncryptionKey } from "./cipher.ts";
import { DispatcherError } from "./errors.ts";
import type { Sealed } from "./envelope.ts";

/** Bytes of JSON that the arguments of an envelope may have, and a result, unless configured: 1 MiB. */
export const MAX_BYTES = 1_048_576;

/** Packs envelopes. */
export class Packing {
  readonly maxArgsBytes: number;
  readonly cipher: Cipher;

  constructor(
    { maxArgsBytes = MAX_BYTES, keys = [] }: { maxArgsBytes?: number; keys?: readonly EncryptionKey[] } = {},
  ) {
    this.maxArgsBytes = maxArgsBytes;
    this.cipher = new Cipher(keys);
  }

  /**
   * An envelope as it may be written.
   *
   * @throws {DispatcherError} `invalid_args` when it is too large, with its size and the limit.
   */
  async pack(envelope: Sealed): Promise<Sealed> {
    this.check(envelope);
    return this.cipher.active ? await this.cipher.seal(envelope) : envelope;
  }

  /** Only the limit. */
  check(envelope: Sealed): void {
    const fault = sizeFault(envelope, this.maxArgsBytes);
    if (fault) throw new DispatcherError("invalid_args", `Cannot publish "${envelope.task}": ${fault}`);
  }
}

/** Characters of what a call says. */
export function contentLength({ args, kwargs, options }: Sealed): number {
  return args.length + kwargs.length + options.length;
}

/** Why an envelope is too large, if it is. */
export function sizeFault(envelope: Sealed, most: number): string | undefined {
  // No character takes more than three bytes a UTF-16 unit: most need no counting.
  if (contentLength(envelope) * 3 <= most) return undefined;
  const { args, kwargs, options } = envelope;
  const bytes = bytesOf(args) + bytesOf(kwargs) + bytesOf(options);
  if (bytes <= most) return undefined;
  return `its args and kwargs have ${bytes} bytes, at most ${most} are allowed (max_args_bytes)`;
}

const bytesOf = (text: string) => Buffer.byteLength(text);
