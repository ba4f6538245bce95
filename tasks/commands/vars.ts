/**
 * Extra variables as they are given: JSON, `@FILE`, or `name=value`.
 *
 * @module
 */
import { type Flags, type IO, parseJson, usage } from "edge-dispatcher/command";
import { readDocument } from "./files.ts";

/** The flag that gives them. */
export const VARS_FLAG: Flags = {
  "extra-vars": {
    type: "string",
    value: "V",
    short: "e",
    many: true,
    help: "Variables: name=value, a JSON object, or @FILE; may be repeated",
  },
};

const PAIR = /^([A-Za-z_]\w*)=(.*)$/s;

/**
 * The variables of all that was given, later ones over earlier ones. The value of `name=value` is JSON where it can be
 * read as such, else a text.
 *
 * @throws {DispatcherError} `usage`.
 */
export async function varsOf(io: IO, given: unknown): Promise<Record<string, unknown> | undefined> {
  if (given === undefined) return undefined;
  const all: Record<string, unknown> = {};
  for (const word of given as string[]) Object.assign(all, await oneOf(io, word));
  return all;
}

async function oneOf(io: IO, word: string): Promise<Record<string, unknown>> {
  const [, name, value] = PAIR.exec(word) ?? [];
  if (name !== undefined) return { [name]: valueOf(value) };
  const [from, found] = word.startsWith("@")
    ? [word.slice(1), await readDocument(io, word.slice(1))]
    : ["--extra-vars", parseJson(word, "--extra-vars")];
  if (typeof found === "object" && found !== null && !Array.isArray(found)) {
    return found as Record<string, unknown>;
  }
  throw usage(`Cannot use ${from} as variables: it is no object`);
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
