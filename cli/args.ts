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
  /** The values that it may have, where they are few and known. */
  choices?: readonly string[];
  /** One letter that stands for it, behind one dash. */
  short?: string;
  /** May be given several times; then its value is a list, in their order. */
  many?: boolean;
}
export type Flags = Readonly<Record<string, Flag>>;

/** What was given. */
export interface Parsed {
  flags: Record<string, string | number | boolean | string[] | undefined>;
  rest: string[];
}

/** A parser: splits words into raw flags and the rest. It need not know types, nor refuse anything. */
export interface ArgsParser {
  readonly name: string;
  split(argv: string[], spec: { strings: string[]; booleans: string[]; many: string[] }): {
    flags: Record<string, unknown>;
    rest: string[];
    unknown: string[];
  };
}

/** Node's parser. */
export const nodeParser: ArgsParser = {
  name: "node:util",
  split(argv, { strings, booleans, many }) {
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
      else if (many.includes(token.name)) {
        flags[token.name] = [...flags[token.name] as string[] ?? [], givenValue(token)];
      } else flags[token.name] = strings.includes(token.name) ? givenValue(token) : true;
    }
    return { flags, rest, unknown };
  },
};

/** A flag that stands last, or before another one, has no value. */
function givenValue({ value, inlineValue }: { value?: string; inlineValue?: boolean }): string | null {
  return value === undefined || (!inlineValue && value.startsWith("-")) ? null : value;
}

/** The parser of `@std/cli`, if it can be loaded here. */
export async function stdParser(): Promise<ArgsParser | undefined> {
  try {
    // A variable, so that nobody resolves it before it runs: the registry may be out of reach.
    const specifier = "@std/cli/parse-args";
    const std = await import(specifier);
    return {
      name: "@std/cli",
      split(argv, { strings, booleans, many }) {
        const unknown: string[] = [];
        const { _: rest, "--": more = [], ...flags } = std.parseArgs(argv, {
          string: [...strings, "_"],
          boolean: booleans,
          collect: many,
          "--": true,
          unknown: (arg: string, key?: string) => {
            if (key === undefined) return true;
            unknown.push(arg.split("=")[0]);
            return false;
          },
        });
        const given: Record<string, unknown> = {};
        for (const name of strings) {
          const value = flags[name];
          if (many.includes(name)) {
            if (value?.length > 0) given[name] = value.map((one: string) => one === "" ? null : one);
          } else if (value !== undefined) given[name] = value === "" ? null : value;
        }
        for (const name of booleans) if (flags[name]) given[name] = true;
        return { flags: given, rest: [...rest.map(String), ...more], unknown };
      },
    };
  } catch {
    return undefined;
  }
}

// Marked on the way through the parser: -1 and -, which are no flags; true and false, which @std/cli takes for the value
// of a switch before them; and what is empty, which it takes for missing.
const MARK = "\u0001";
const MARKED = /^(-\d|-$|true$|false$|$)/;
const mark = (word: string) => MARKED.test(word) ? MARK + word : /^--[^=]+=$/.test(word) ? word + MARK : word;
const unmark = (word: string) => word.replace(MARK, "");

/**
 * Parse the words behind a command.
 *
 * @throws {DispatcherError} `usage` for an unknown flag, a missing value, or one that is not a number.
 */
export function readArgs(argv: string[], flags: Flags, parser: ArgsParser = nodeParser): Parsed {
  const names = Object.keys(flags);
  refuseSwitchValues(argv, flags);
  const { flags: raw, rest, unknown } = parser.split(withoutShorts(argv, flags).map(mark), {
    strings: names.filter((name) => flags[name].type !== "boolean"),
    booleans: names.filter((name) => flags[name].type === "boolean"),
    many: names.filter((name) => flags[name].many),
  });
  if (unknown.length > 0) {
    throw usage(`Unknown flag "${unknown[0]}"${didYouMean(unknown[0], names.map((name) => `--${name}`))}`);
  }
  const values: Parsed["flags"] = {};
  for (const [name, value] of Object.entries(raw)) {
    values[name] = Array.isArray(value)
      ? value.map((one) => valueOf(name, one, flags[name]) as string)
      : valueOf(name, value, flags[name]);
  }
  return { flags: values, rest: rest.map(unmark) };
}

function withoutShorts(argv: string[], flags: Flags): string[] {
  const names = new Map(
    Object.entries(flags).flatMap(([name, { short }]) => short ? [[`-${short}`, `--${name}`]] : []),
  );
  const end = argv.indexOf("--");
  return argv.map((word, i) => end >= 0 && i >= end ? word : names.get(word) ?? word);
}

/** Seen to before the parser: of `--json=no` one makes a word and another makes true. */
function refuseSwitchValues(argv: string[], flags: Flags): void {
  const end = argv.indexOf("--");
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    if (name !== undefined && Object.hasOwn(flags, name) && flags[name].type === "boolean") {
      throw usage(`Flag --${name} takes no value: given ${JSON.stringify(value)}`);
    }
  }
}

function valueOf(name: string, value: unknown, { type }: Flag): string | number | boolean {
  if (type === "boolean") return true;
  if (typeof value !== "string") throw usage(`Flag --${name} needs a value`);
  const text = unmark(value);
  if (type === "string") return text;
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) {
    throw usage(`Flag --${name} needs a number: given "${text}"`);
  }
  return number;
}

/**
 * A flag that says how many seconds to wait.
 *
 * @throws {DispatcherError} `usage` for a negative one.
 */
export function secondsOf(flags: Parsed["flags"], name: string): number | undefined {
  const seconds = flags[name] as number | undefined;
  if (seconds === undefined || seconds >= 0) return seconds;
  throw usage(`Flag --${name} needs seconds from 0: given "${seconds}"`);
}

/** An error of usage, exit 2. */
export function usage(message: string): DispatcherError {
  return new DispatcherError("usage", message);
}

/** A word as JSON; a word that is no JSON is an error and not a string, so that a typo is not published. */
export function parseJson(word: string, what: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    throw usage(`Cannot read ${what} ${JSON.stringify(word)} as JSON: a text needs quotes, '"like this"'`);
  }
}
