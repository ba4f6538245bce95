/**
 * Credentials at rest: AES-256-GCM under a key from AWX_SECRET_KEY (32 bytes in base64), or from the file
 * `.awx/secret_key` (AWX_SECRET_KEY_FILE), which is made at the first use and is its owner's alone. What is sealed is bound
 * to its place: moved to another row it does not open.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { DispatcherError } from "edge-dispatcher";

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "v1";

/**
 * Seal a value. @param place Whose it is, such as `credential:machine`; needed again to open it.
 *
 * @example
 * ```ts ignore
 * const sealed = seal({ password: "…" }, "credential:3"); // "v1:…"
 * const { password } = open(sealed, "credential:3");
 * ```
 */
export function seal(value: unknown, place: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", secretKey(), iv).setAAD(Buffer.from(place));
  const text = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
  return `${VERSION}:${Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64")}`;
}

/** @throws {DispatcherError} `config` when it was sealed with another key or for another place; the value is not in it. */
export function open(sealed: string, place: string): unknown {
  try {
    const [version, text = ""] = sealed.split(":");
    if (version !== VERSION) throw new Error(`version "${version.slice(0, 8)}" is not known`);
    const bytes = Buffer.from(text, "base64");
    const decipher = createDecipheriv("aes-256-gcm", secretKey(), bytes.subarray(0, IV_BYTES))
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const opened = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    return JSON.parse(opened.toString("utf8"));
  } catch (error) {
    if (error instanceof DispatcherError) throw error;
    throw new DispatcherError(
      "config",
      `Cannot open the secrets of ${place}: they were sealed with another key than that of AWX_SECRET_KEY, or are damaged`,
      { cause: error },
    );
  }
}

let known: Buffer | undefined;

function secretKey(): Buffer {
  return known ??= process.env.AWX_SECRET_KEY
    ? keyOf(process.env.AWX_SECRET_KEY, "AWX_SECRET_KEY")
    : keyFromFile(process.env.AWX_SECRET_KEY_FILE ?? ".awx/secret_key");
}

function keyFromFile(path: string): Buffer {
  try {
    return keyOf(readFileSync(path, "utf8"), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Two processes may be first at once: the link is made by one, whole, and read by both.
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${randomBytes(KEY_BYTES).toString("base64")}\n`, { mode: 0o600 });
  try {
    linkSync(own, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(own);
  }
  return keyOf(readFileSync(path, "utf8"), path);
}

function keyOf(text: string, from: string): Buffer {
  const key = Buffer.from(text.trim(), "base64");
  if (key.length === KEY_BYTES) return key;
  throw new DispatcherError(
    "config",
    `Cannot use the key of ${from}: it has ${key.length} bytes, not ${KEY_BYTES} in base64`,
  );
}
