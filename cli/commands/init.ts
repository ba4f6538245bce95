import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DispatcherError } from "../../runtime/errors.ts";
import type { Command } from "../command.ts";
import { scaffold } from "../scaffold.ts";

/** A new project; what is there already is left as it is. */
export const init: Command = {
  summary: "Make a project: a task, and how to run it on each runtime",
  usage: "[DIR] [--package SPEC]",
  words: true,
  flags: {
    package: {
      type: "string",
      value: "SPEC",
      help: "Where to install edge-dispatcher from, as in package.json",
    },
  },
  run({ rest, flags, io }) {
    if (rest.length > 1) {
      throw new DispatcherError("usage", `Cannot make a project in ${rest.length} folders`);
    }
    const dir = resolve(rest[0] ?? ".");
    for (
      const [path, content] of Object.entries(scaffold(nameOf(dir), flags.package as string | undefined))
    ) {
      io.out(`${write(join(dir, path), content) ? "made" : "kept"} ${path}`);
    }
    return Promise.resolve();
  },
};

/** A folder's name as a package may be called. */
function nameOf(dir: string): string {
  return basename(dir).toLowerCase().replace(/[^a-z0-9-]+/g, "-").replace(/^-+|-+$/g, "") || "tasks";
}

/** Write a file unless it is there; whether it was not. */
function write(path: string, content: string): boolean {
  const refused = (error: unknown) =>
    new DispatcherError("refused", `Cannot write "${path}": ${(error as Error).message}`);
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw refused(error);
  }
  try {
    writeFileSync(path, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw refused(error);
  }
}
