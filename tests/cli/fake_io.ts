import type { IO } from "../../cli/io.ts";

/** A terminal that keeps what was written on it, line by line. */
export interface FakeIO extends IO {
  readonly outLines: string[];
  readonly errLines: string[];
}

/** Make one; a pipe unless told that it is a terminal. */
export function fakeIO(given: Partial<Pick<IO, "tty" | "interactive" | "columns">> = {}): FakeIO {
  const outLines: string[] = [];
  const errLines: string[] = [];
  return {
    outLines,
    errLines,
    out: (text) => void outLines.push(...text.split("\n")),
    err: (text) => void errLines.push(...text.split("\n")),
    stdin: nothing(),
    tty: false,
    interactive: false,
    columns: 80,
    ...given,
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
