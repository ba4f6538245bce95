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
import { didYouMean } from "../runtime/suggest.ts";
import { VERSION } from "../runtime/version.ts";
import { nodeParser, readArgs, stdParser } from "./args.ts";
import type { Command, Context } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { commandHelp, groupHelp, mainHelp } from "./help.ts";
import { flush, type IO, processIO } from "./io.ts";

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
  const [first = "--help", second] = argv;
  if (["--help", "-h", "help"].includes(first)) return say(io, mainHelp(COMMANDS));
  if (first === "--version") return say(io, VERSION);
  const pair = `${first} ${second}`;
  if (Object.hasOwn(COMMANDS, pair)) return await start(pair, argv.slice(2), io);
  if (Object.hasOwn(COMMANDS, first)) return await start(first, argv.slice(1), io);
  const group = Object.keys(COMMANDS).filter((name) => name.startsWith(`${first} `));
  if (group.length > 0) {
    if (second === undefined || second === "--help") {
      return say(io, groupHelp(first, COMMANDS), second ? EXIT.ok : EXIT.usage);
    }
    throw new DispatcherError("usage", `Unknown command "${pair}"${didYouMean(pair, group)}`);
  }
  const known = [...new Set(Object.keys(COMMANDS).map((name) => name.split(" ")[0]))];
  throw new DispatcherError("usage", `Unknown command "${first}"${didYouMean(first, known)}`);
}

/** Not left alone: `migrate stats` must not migrate, nor `status n1` show all nodes. */
function oddWord(name: string, word: string): DispatcherError {
  const group = Object.keys(COMMANDS).filter((other) => other.startsWith(`${name} `));
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

async function start(name: string, argv: string[], io: IO): Promise<number> {
  const command: Command = COMMANDS[name];
  const parser = await stdParser() ?? nodeParser;
  const flags = { help: { type: "boolean" as const, help: "Show this" }, ...command.flags };
  const parsed = readArgs(argv.map((word) => word === "-h" ? "--help" : word), flags, parser);
  if (parsed.flags.help) return say(io, commandHelp(name, command));
  if (parsed.rest.length > 0 && !command.words) throw oddWord(name, parsed.rest[0]);
  let client: Promise<Client> | undefined;
  const context: Context = {
    ...parsed,
    io,
    config: () =>
      loadConfig({
        flags: { database_url: parsed.flags["database-url"] },
        file: parsed.flags.config as string,
      }),
    client: () => client ??= connected(context),
  };
  try {
    return await command.run(context) ?? EXIT.ok;
  } finally {
    await (await client?.catch(() => undefined))?.close();
  }
}

async function connected(context: Context): Promise<Client> {
  const { config } = await context.config();
  const { connect } = await import("../runtime/connect.ts");
  return await connect({
    databaseUrl: config.database_url,
    listenUrl: config.listen_url,
    encryptionKeys: config.encryption_keys,
    maxArgsBytes: config.max_args_bytes,
  });
}

if (import.meta.main) await main(process.argv.slice(2));
