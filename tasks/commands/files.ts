/**
 * Files that commands read: `-` is stdin, and what is not JSON is YAML.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { type IO, usage } from "edge-dispatcher/command";

/** Bytes that a file may have: no document comes near. */
const MOST = 100_000_000;

/**
 * The text of a file, or of stdin.
 *
 * @throws {DispatcherError} `usage` when it cannot be read.
 */
export async function readText(io: IO, path: string): Promise<string> {
  if (path === "-") return await readAll(io);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw usage(`Cannot read "${path}": ${(error as Error).message}`);
  }
}

/**
 * A document: JSON or YAML.
 *
 * @throws {DispatcherError} `usage`, saying where it is wrong and never what stands there.
 */
export async function readDocument(io: IO, path: string): Promise<unknown> {
  return await parseDocument(await readText(io, path), path === "-" ? "stdin" : `"${path}"`);
}

/** Read a text as JSON or YAML. */
export async function parseDocument(text: string, from: string): Promise<unknown> {
  const { parseDocument: parse } = await import("yaml");
  // Aliases that grow without end are refused by the library.
  const document = parse(text, { prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const line = text.slice(0, error.pos[0]).split("\n").length;
    throw usage(`Cannot read ${from} as JSON or YAML: line ${line}: ${error.code}`);
  }
  return document.toJS();
}

async function readAll(io: IO): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of io.stdin) {
    bytes += chunk.length;
    if (bytes > MOST) throw usage(`Cannot read stdin: it has more than ${MOST} bytes`);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(whole);
}
