/**
 * Encryption of what envelopes carry, at rest and on the wire: AES-256-GCM, by way of WebCrypto.
 *
 * An encrypted value stands in the same column as a plain one, in the same shape, so that whoever does not look inside
 * needs to know nothing of it:
 *
 * ```text
 *  args    [{"$enc": {"k": KEY-ID, "iv": BASE64, "ct": BASE64}}]
 *  kwargs  {"$enc": {…}}      result  {"$enc": {…}}
 * ```
 *
 * The field and the uuid are bound to it as additional data: moved to another envelope it does not open. Of a broadcast
 * that is the uuid that the publisher knows. Calls with a rule for duplicates must be equal when they are encrypted,
 * too: their vector is derived from the text (so that equal calls are seen to be equal, and nothing else is), their
 * keys are sorted, and bound is the task instead of the uuid.
 *
 * The first key encrypts, all decrypt.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Sealed, TaskMessage } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import type { Json } from "./json.ts";

/** A key: 32 bytes in base64, and the name under which what it encrypted finds it. */
export interface EncryptionKey {
  id: string;
  key: string;
}

interface Encrypted {
  k: string;
  iv: string;
  ct: string;
  /** Equal texts are equal when encrypted; bound to the task. */
  eq?: 1;
}

/** Whose value it is. */
export interface Owner {
  /** Of a copy, the uuid of its broadcast. */
  uuid: string;
  task: string;
}

/** No such key is configured here: another node may have it. */
export class UnknownKeyError extends Error {
  override name = "UnknownKeyError";
}

const KEY_BYTES = 32;
const IV_BYTES = 12;
const utf8 = new TextEncoder();

/** Keys as a variable has them: `ID:BASE64,ID:BASE64`. */
export function keysOf(text: string | undefined): EncryptionKey[] {
  if (!text) return [];
  return text.split(",").map((one) => {
    const at = one.indexOf(":");
    return { id: one.slice(0, at).trim(), key: one.slice(at + 1).trim() };
  });
}

/** What is wrong with a key, without showing it. */
export function keyFault({ id, key }: EncryptionKey): string | undefined {
  if (!/^[\w.-]{1,64}$/.test(id)) return "the id of a key has 1 to 64 letters, digits, dots, dashes";
  const bytes = Buffer.from(key, "base64").length;
  if (bytes !== KEY_BYTES) return `key "${id}" has ${bytes} bytes in base64, not ${KEY_BYTES}`;
}

interface Loaded {
  id: string;
  aes: Promise<CryptoKey>;
  mac: Promise<CryptoKey>;
}

/** Encrypts and decrypts with some keys; with none it leaves plain what is plain. */
export class Cipher {
  readonly #keys: Loaded[];

  constructor(keys: readonly EncryptionKey[]) {
    this.#keys = keys.map((key) => {
      const fault = keyFault(key);
      if (fault) throw new DispatcherError("config", `Cannot use encryption_keys: ${fault}`);
      return load(key);
    });
  }

  /** Whether it encrypts. */
  get active(): boolean {
    return this.#keys.length > 0;
  }

  /** An envelope with its arguments encrypted, and those of the calls that follow it. */
  async seal(envelope: Sealed): Promise<Sealed> {
    if (!this.active) return envelope;
    const { unique } = envelope;
    const text = (json: string) => unique ? JSON.stringify(sorted(JSON.parse(json))) : json;
    return {
      ...envelope,
      args: `[${await this.#encrypt(text(envelope.args), "args", envelope, unique)}]`,
      kwargs: envelope.kwargs === "{}"
        ? "{}"
        : await this.#encrypt(text(envelope.kwargs), "kwargs", envelope, unique),
      options: await this.#sealFollowing(envelope),
    };
  }

  async #sealFollowing(envelope: Sealed): Promise<string> {
    if (!/"(callbacks|errbacks)"/.test(envelope.options)) return envelope.options;
    const options = JSON.parse(envelope.options);
    for (const name of ["callbacks", "errbacks"]) {
      for (const message of (options[name] ?? []) as TaskMessage[]) {
        const { args = [], kwargs = {} } = message;
        message.args = [JSON.parse(await this.#encrypt(JSON.stringify(args), "args", envelope))];
        message.kwargs = JSON.parse(await this.#encrypt(JSON.stringify(kwargs), "kwargs", envelope));
      }
    }
    return JSON.stringify(options);
  }

  /** The JSON text of a result, encrypted if there is a key. */
  async sealResult(text: string, owner: Owner): Promise<string> {
    return this.active ? await this.#encrypt(text, "result", owner) : text;
  }

  /**
   * Arguments as they were published.
   *
   * @throws {UnknownKeyError} naming the key.
   */
  async openCall(
    { args, kwargs }: { args: unknown[]; kwargs: Record<string, unknown> },
    owner: Owner,
  ): Promise<{ args: unknown[]; kwargs: Record<string, unknown> }> {
    const inside = args.length === 1 ? encryptedIn(args[0]) : undefined;
    const named = encryptedIn(kwargs);
    return {
      args: inside ? JSON.parse(await this.#decrypt(inside, "args", owner)) : args,
      kwargs: named ? JSON.parse(await this.#decrypt(named, "kwargs", owner)) : kwargs,
    };
  }

  /**
   * A result as the task returned it.
   *
   * @throws {UnknownKeyError} naming the key.
   */
  async openResult(result: Json, owner: Owner): Promise<Json> {
    const inside = encryptedIn(result);
    return inside ? JSON.parse(await this.#decrypt(inside, "result", owner)) : result;
  }

  async #encrypt(text: string, field: string, owner: Owner, equal = false): Promise<string> {
    const key = this.#keys[0];
    const plain = utf8.encode(text);
    const bound = boundTo(field, owner, equal);
    const iv = equal
      ? (await signed(await key.mac, Buffer.concat([bound, plain]))).subarray(0, IV_BYTES)
      : crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const options = { name: "AES-GCM", iv: bufferOf(iv), additionalData: bufferOf(bound) };
    const ct = await crypto.subtle.encrypt(options, await key.aes, bufferOf(plain));
    const made: Encrypted = { k: key.id, iv: base64(iv), ct: base64(new Uint8Array(ct)) };
    return JSON.stringify({ $enc: equal ? { ...made, eq: 1 } : made });
  }

  async #decrypt({ k, iv, ct, eq }: Encrypted, field: string, owner: Owner): Promise<string> {
    const what = `Cannot decrypt the ${field} of "${owner.uuid}"`;
    const key = this.#keys.find(({ id }) => id === k);
    if (!key) throw new UnknownKeyError(`${what}: key "${k}" is not among the encryption_keys here`);
    const options = {
      name: "AES-GCM",
      iv: bufferOf(Buffer.from(iv, "base64")),
      additionalData: bufferOf(boundTo(field, owner, eq === 1)),
    };
    try {
      const plain = await crypto.subtle.decrypt(options, await key.aes, bufferOf(Buffer.from(ct, "base64")));
      return new TextDecoder().decode(plain);
    } catch {
      throw new DispatcherError(
        "invalid_envelope",
        `${what}: it was changed, belongs to another envelope, or key "${k}" is another one`,
      );
    }
  }
}

/** The encrypted value in this place, if it is one. */
export function encryptedIn(value: unknown): Encrypted | undefined {
  if (typeof value !== "object" || value === null || !("$enc" in value)) return undefined;
  const { k, iv, ct } = value.$enc as Partial<Encrypted> ?? {};
  const is = typeof k === "string" && typeof iv === "string" && typeof ct === "string";
  return is && Object.keys(value).length === 1 ? value.$enc as Encrypted : undefined;
}

function boundTo(field: string, { uuid, task }: Owner, equal: boolean): Uint8Array {
  return utf8.encode(`${field}\n${equal ? task : uuid.toLowerCase()}\n`);
}

function load({ id, key }: EncryptionKey): Loaded {
  const raw = new Uint8Array(Buffer.from(key, "base64"));
  const aes = crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  // Another key than that which encrypts, for the vectors that are derived.
  const mac = crypto.subtle.digest(
    "SHA-256",
    bufferOf(Buffer.concat([utf8.encode("edge-dispatcher iv\n"), raw])),
  )
    .then((other) =>
      crypto.subtle.importKey("raw", other, { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
    );
  return { id, aes, mac };
}

async function signed(key: CryptoKey, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bufferOf(bytes)));
}

/** A copy that is no part of a larger buffer. */
function bufferOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** Keys in one order, as jsonb would have them equal. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}
