/**
 * The way into the command line: find the command, read its flags, run it, and turn what went wrong into a line
 * and an exit code.
 *
 * @module
 */
import process from "node:process";
import type { Client } from "../runtime/client.ts";
import { loadConfig } from "../runtime/config.ts";
import { DispatcherError, errorLine, EXIT } from "../runtime/errors.ts";
import type { LoadedExtension } from "../runtime/extension.ts";
import { didYouMean } from "../runtime/suggest.ts";
import { VERSION } from "../runtime/version.ts";
import { nodeParser, readArgs, stdParser } from "./args.ts";
import type { Command, Context } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { extensionFound } from "./extension.ts";
import { commandHelp, groupHelp, mainHelp } from "./help.ts";
import { flush, type IO, processIO } from "./io.ts";

type Commands = Readonly<Record<string, Command>>;
/** Words that the name of a command has at most. */
const MOST_WORDS = 3;

/** Run a command line and end the process with its exit code. */
export async function main(argv: string[]): Promise<void> {
  process.exitCode = await run(argv, processIO);
  await flush();
  // Timers and sockets of a library must not hold a command that is done.
  process.exit();
}

/** Run a command line; returns the exit code. */
export async function run(argv: string[], io: IO): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    io.err(error instanceof DispatcherError ? error.message : `Unexpected error: ${errorLine(error)}`);
    // Deno says by itself which flag is missing.
    if ((error as Error).name === "NotCapable") return EXIT.config;
    if (!(error instanceof DispatcherError) && process.env.DISPATCHER_DEBUG) {
      io.err(String((error as Error).stack));
    }
    return error instanceof DispatcherError ? error.exit : EXIT.failed;
  }
}

async function dispatch(argv: string[], io: IO): Promise<number> {
  // As the installed command takes it: `dispatcher NAME` is NAME.
  if (argv[0] === "dispatcher" && argv[1] === "callback-receiver") argv = argv.slice(1);
  const [first = "--help"] = argv;
  if (first === "--version") return say(io, VERSION);
  const helped = ["--help", "-h", "help"].includes(first);
  const own = Object.keys(COMMANDS).some((name) => name.split(" ")[0] === first);
  const extension = own ? undefined : await extensionFound(helped);
  const more = await extension?.commands?.() as Commands | undefined;
  if (helped) return say(io, mainHelp(COMMANDS, more, extension?.summary));
  const commands = { ...more, ...COMMANDS };
  for (let words = MOST_WORDS; words > 0; words--) {
    const name = argv.slice(0, words).join(" ");
    if (argv.length >= words && Object.hasOwn(commands, name)) {
      return await start({ name, commands, migrations: extension?.migrations }, argv.slice(words), io);
    }
  }
  return lost(argv, commands, io);
}

/** The words lead to a group of commands, or nowhere. */
function lost([first, ...rest]: string[], commands: Commands, io: IO): number {
  const names = Object.keys(commands);
  let group = first;
  while (rest.length > 0 && names.some((name) => name.startsWith(`${group} ${rest[0]} `))) {
    group += ` ${rest.shift()}`;
  }
  const [next] = rest;
  const members = names.filter((name) => name.startsWith(`${group} `));
  if (members.length === 0) {
    const known = [...new Set(names.map((name) => name.split(" ")[0]))];
    throw new DispatcherError("usage", `Unknown command "${first}"${didYouMean(first, known)}`);
  }
  if (next === undefined || next === "--help") {
    return say(io, groupHelp(group, commands), next ? EXIT.ok : EXIT.usage);
  }
  const word = `${group} ${next}`;
  throw new DispatcherError("usage", `Unknown command "${word}"${didYouMean(word, members)}`);
}

/** Not left alone: `migrate stats` must not migrate, nor `status n1` show all nodes. */
function oddWord(name: string, word: string, commands: Commands): DispatcherError {
  const group = Object.keys(commands).filter((other) => other.startsWith(`${name} `));
  const message = group.length > 0
    ? `Unknown command "${name} ${word}"${didYouMean(`${name} ${word}`, group)}`
    : `Cannot run ${name} with "${word}": it takes flags only`;
  return new DispatcherError("usage", message);
}

function say(io: IO, text: string, code: number = EXIT.ok): number {
  if (code === EXIT.ok) io.out(text);
  else io.err(text);
  return code;
}

/** A command among the others, and the tables that it works with. */
interface Chosen {
  name: string;
  commands: Commands;
  migrations?: LoadedExtension["migrations"];
}

async function start({ name, commands, migrations }: Chosen, argv: string[], io: IO): Promise<number> {
  const command = commands[name];
  const parser = await stdParser() ?? nodeParser;
  const flags = { help: { type: "boolean" as const, help: "Show this" }, ...command.flags };
  const parsed = readArgs(argv.map((word) => word === "-h" ? "--help" : word), flags, parser);
  if (parsed.flags.help) return say(io, commandHelp(name, command));
  if (parsed.rest.length > 0 && !command.words) throw oddWord(name, parsed.rest[0], commands);
  let client: Promise<Client> | undefined;
  const context: Context = {
    ...parsed,
    io,
    config: () =>
      loadConfig({
        flags: { database_url: parsed.flags["database-url"] },
        file: parsed.flags.config as string,
      }),
    client: () => client ??= connected(context, migrations),
  };
  try {
    return await command.run(context) ?? EXIT.ok;
  } finally {
    await (await client?.catch(() => undefined))?.close();
  }
}

async function connected(context: Context, migrations?: LoadedExtension["migrations"]): Promise<Client> {
  const { config } = await context.config();
  const { connect }: typeof import("../runtime/connect.ts") = await import("../runtime/connect.ts" as string);
  return await connect({
    databaseUrl: config.database_url,
    listenUrl: config.listen_url,
    encryptionKeys: config.encryption_keys,
    maxArgsBytes: config.max_args_bytes,
    migrations,
  });
}

if (import.meta.main) await main(process.argv.slice(2));
