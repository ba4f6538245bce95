/**
 * Where a command writes: results on stdout, all else on stderr.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { EXIT } from "../runtime/errors.ts";

/** The terminal, or what stands for it in a test. */
export interface IO {
  /** A line of the result. */
  out(text: string): void;
  /** A line that is not the result. */
  err(text: string): void;
  /** Write over the last line of stderr; there where stderr is a terminal. An empty text takes it away. */
  status?(text: string): void;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Whether stdout is a terminal. */
  readonly tty: boolean;
  /** Whether a person can answer a question. */
  readonly interactive: boolean;
  readonly columns: number;
}

/** This process's own. */
export const processIO: IO = {
  out: (text) => write(process.stdout, text),
  err: (text) => write(process.stderr, text),
  status: process.stderr.isTTY === true
    ? (text) => void process.stderr.write(`\r\u001b[K${harmless(text)}`)
    : undefined,
  stdin: process.stdin as AsyncIterable<Uint8Array>,
  tty: process.stdout.isTTY === true,
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  columns: process.stdout.columns ?? 80,
};

// Streams that took no more; written where a write fails, read by flush().
const broken = new Set<NodeJS.WriteStream>();

// Whoever reads results may leave early, as `head` does: then there is nothing left to do. Whoever reads the log
// may leave too, and a node works on.
process.stdout.on("error", cannotWrite);
process.stderr.on("error", () => broken.add(process.stderr));

function cannotWrite(error: Error & { code?: string }): void {
  if (error.code === "EPIPE") process.exit();
  try {
    // Not through the stream, which the exit would cut off.
    writeSync(process.stderr.fd, `Cannot write the result: ${error.message}\n`);
  } finally {
    process.exit(EXIT.failed);
  }
}

/** Deno throws here what the others tell the stream's listeners. */
function write(stream: NodeJS.WriteStream, text: string): void {
  try {
    stream.write(`${harmless(text)}\n`);
  } catch (error) {
    broken.add(stream);
    if (stream === process.stdout) cannotWrite(error as Error);
  }
}

// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** What others have named must not steer the terminal. In JSON the escape stands for the same character. */
export function harmless(text: string): string {
  return text.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Wait until what was written has left the process: a pipe may be slower than an exit. It ends the streams, for
 * Bun says of a write that it is done, and of a stream that nothing is left, before either is.
 */
export async function flush(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map((stream) =>
    new Promise<void>((resolve) => {
      if (!stream.writable || broken.has(stream)) return resolve();
      stream.once("error", () => resolve());
      stream.end(() => resolve());
    })
  ));
}
