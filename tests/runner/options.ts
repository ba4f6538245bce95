import { parseArgs } from "node:util";
import type { Runtime } from "./binaries.ts";

export interface RunOptions {
  /** The runtimes to run the tests on. */
  only: Runtime[];
  /** Parts of paths; `*` stands for anything. None: all files. */
  files: string[];
  /** Leave the run's directory (reports, PostgreSQL data) in place. */
  keep: boolean;
  /** Files at a time; one, since two cores give the timing tests no more room. */
  jobs: number;
  /** Seconds until a test file counts as hung. */
  fileTimeout: number;
}

export const USAGE =
  `deno task test [--only deno,bun,node] [--files PATTERN]... [--jobs N] [--file-timeout SECONDS] [--keep]`;

const RUNTIMES: readonly Runtime[] = ["deno", "bun", "node"];

/** Read the command line of tests/run.ts; throws with the usage at what it does not know. */
export function parseOptions(args: string[]): RunOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      only: { type: "string" },
      files: { type: "string", multiple: true },
      keep: { type: "boolean" },
      jobs: { type: "string", default: "2" },
      "file-timeout": { type: "string", default: "300" },
    },
  });
  const only = values.only ? values.only.split(",").map(asRuntime) : [...RUNTIMES];
  return {
    only: RUNTIMES.filter((name) => only.includes(name)),
    files: [...values.files ?? [], ...positionals],
    keep: values.keep ?? false,
    jobs: asCount("--jobs", values.jobs),
    fileTimeout: asCount("--file-timeout", values["file-timeout"]),
  };
}

function asRuntime(name: string): Runtime {
  const found = RUNTIMES.find((runtime) => runtime === name.trim());
  if (!found) throw new TypeError(`Cannot run on ${JSON.stringify(name)}: one of ${RUNTIMES.join(", ")}`);
  return found;
}

function asCount(flag: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new TypeError(`${flag} must be a number >= 1: ${text}`);
  return count;
}
