/**
 * Where a command writes: results on stdout, all else on stderr.
 *
 * @module
 */
import process from "node:process";

/** The terminal, or what stands for it in a test. */
export interface IO {
  /** A line of the result. */
  out(text: string): void;
  /** A line that is not the result. */
  err(text: string): void;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Whether stdout is a terminal. */
  readonly tty: boolean;
  /** Whether a person can answer a question. */
  readonly interactive: boolean;
  readonly columns: number;
}

/** This process's own. */
export const processIO: IO = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  stdin: process.stdin as AsyncIterable<Uint8Array>,
  tty: process.stdout.isTTY === true,
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  columns: process.stdout.columns ?? 80,
};

// The reader of a pipe may leave early, as `head` does: that is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: Error & { code?: string }) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
}

/** Wait until what was written has left the process: a pipe may be slower than an exit. */
export async function flush(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }
}
