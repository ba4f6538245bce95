/**
 * Reading the command line, behind one small interface: `@std/cli` where it can be had, else Node's `parseArgs`,
 * which Bun and Deno have too. A test runs the same table on every parser that is present.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DispatcherError } from "../runtime/errors.ts";
import { didYouMean } from "../runtime/suggest.ts";

/** One flag of a command. */
export interface Flag {
  type: "string" | "number" | "boolean";
  /** One line for the help. */
  help: string;
  /** What stands for the value in the help, such as `N`. */
  value?: string;
}
export type Flags = Readonly<Record<string, Flag>>;

/** What was given. */
export interface Parsed {
  flags: Record<string, string | number | boolean | undefined>;
  rest: string[];
}

/** A parser: splits words into raw flags and the rest. It need not know types, nor refuse anything. */
export interface ArgsParser {
  readonly name: string;
  split(argv: string[], spec: { strings: string[]; booleans: string[] }): {
    flags: Record<string, unknown>;
    rest: string[];
    unknown: string[];
  };
}

/** Node's parser. */
export const nodeParser: ArgsParser = {
  name: "node:util",
  split(argv, { strings, booleans }) {
    const options = Object.fromEntries([
      ...strings.map((name) => [name, { type: "string" as const }]),
      ...booleans.map((name) => [name, { type: "boolean" as const }]),
    ]);
    const { tokens } = parseArgs({
      args: argv,
      options,
      strict: false,
      tokens: true,
      allowPositionals: true,
    });
    const flags: Record<string, unknown> = {};
    const rest: string[] = [];
    const unknown: string[] = [];
    for (const token of tokens!) {
      if (token.kind === "positional") rest.push(token.value);
      if (token.kind !== "option") continue;
      if (!Object.hasOwn(options, token.name)) unknown.push(token.rawName);
      // A flag that wants a value and stands last has none; a boolean with one (`--json=no`) is odd too.
      else flags[token.name] = strings.includes(token.name) ? token.value ?? null : token.value ?? true;
    }
    return { flags, rest, unknown };
  },
};

/** The parser of `@std/cli`, if it can be loaded here. */
export async function stdParser(): Promise<ArgsParser | undefined> {
  try {
    // A variable, so that nobody resolves it before it runs: the registry may be out of reach.
    const specifier = "@std/cli/parse-args";
    const std = await import(specifier);
    return {
      name: "@std/cli",
      split(argv, { strings, booleans }) {
        const unknown: string[] = [];
        const { _: rest, "--": more = [], ...flags } = std.parseArgs(argv, {
          string: [...strings, "_"],
          boolean: booleans,
          "--": true,
          unknown: (arg: string, key?: string) => {
            if (key === undefined) return true;
            unknown.push(arg.split("=")[0]);
            return false;
          },
        });
        const given: Record<string, unknown> = {};
        for (const name of strings) {
          if (flags[name] !== undefined) {
            given[name] = flags[name] === "" ? null : flags[name];
          }
        }
        for (const name of booleans) if (flags[name]) given[name] = true;
        return { flags: given, rest: [...rest.map(String), ...more], unknown };
      },
    };
  } catch {
    return undefined;
  }
}

// A word like -1 is an argument, not a flag: it is marked on the way through the parser.
const MARK = "\u0001";
const NEGATIVE = /^-\d/;

/**
 * Parse the words behind a command.
 *
 * @throws {DispatcherError} `usage` for an unknown flag, a missing value, or one that is not a number.
 */
export function readArgs(argv: string[], flags: Flags, parser: ArgsParser = nodeParser): Parsed {
  const names = Object.keys(flags);
  const words = argv.map((word) => NEGATIVE.test(word) ? MARK + word : word);
  const { flags: raw, rest, unknown } = parser.split(words, {
    strings: names.filter((name) => flags[name].type !== "boolean"),
    booleans: names.filter((name) => flags[name].type === "boolean"),
  });
  if (unknown.length > 0) {
    throw usage(`Unknown flag "${unknown[0]}"${didYouMean(unknown[0], names.map((name) => `--${name}`))}`);
  }
  const values: Parsed["flags"] = {};
  for (const [name, value] of Object.entries(raw)) values[name] = valueOf(name, value, flags[name]);
  return { flags: values, rest: rest.map((word) => word.replace(MARK, "")) };
}

function valueOf(name: string, value: unknown, { type }: Flag): string | number | boolean {
  if (type === "boolean") {
    if (value === true) return true;
    throw usage(`Flag --${name} takes no value: given ${JSON.stringify(value)}`);
  }
  if (typeof value !== "string") throw usage(`Flag --${name} needs a value`);
  const text = value.replace(MARK, "");
  if (type === "string") return text;
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) {
    throw usage(`Flag --${name} needs a number: given "${text}"`);
  }
  return number;
}

/** An error of usage, exit 2. */
export function usage(message: string): DispatcherError {
  return new DispatcherError("usage", message);
}
