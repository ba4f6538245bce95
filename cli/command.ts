/**
 * What a command is, and what it gets.
 *
 * @module
 */
import type { Client } from "../runtime/client.ts";
import type { Loaded } from "../runtime/config.ts";
import { STATES } from "../runtime/state.ts";
import type { Flags, Parsed } from "./args.ts";
import type { IO } from "./io.ts";

/** One command of the command line. */
export interface Command {
  /** One line for the list of commands. */
  summary: string;
  /** What stands behind the name, such as `TASK [ARGS…]`. */
  usage: string;
  /** Whether words may stand behind the name, besides flags. */
  words?: boolean;
  flags: Flags;
  /** Do it; returns the exit code, 0 when it returns nothing. */
  run(context: Context): Promise<number | void>;
}

/** What a command works with. */
export interface Context {
  flags: Parsed["flags"];
  rest: string[];
  io: IO;
  /** The configuration: flags, environment, file. */
  config(): Promise<Loaded>;
  /** A client of the configured database; closed when the command ends. */
  client(): Promise<Client>;
}

/** Flags of every command that talks to a database. */
export const DATABASE_FLAGS: Flags = {
  "database-url": {
    type: "string",
    value: "URL",
    help: "PostgreSQL to use, by default DATABASE_URL or the embedded one",
  },
  config: { type: "string", value: "FILE", help: "Configuration file (.json, .yaml, .ts, .js)" },
};

/** The flag of every command that reads. */
export const JSON_FLAG: Flags = {
  json: { type: "boolean", help: "Write JSON: one object, or one a line for lists" },
};

/** Flags that say which envelopes. */
export const FILTER_FLAGS: Flags = {
  state: {
    type: "string",
    value: "S,…",
    choices: STATES,
    help: "scheduled, available, running, retryable, completed, cancelled, discarded",
  },
  queue: { type: "string", value: "Q", help: "In this queue" },
  task: { type: "string", value: "PATH", help: "Of this task" },
  node: { type: "string", value: "N", help: "Run by this node" },
  older: { type: "number", value: "S", help: "Published so many seconds ago, or earlier" },
};

/** Flags of every command that asks live nodes. */
export const NODE_FLAGS: Flags = {
  node: { type: "string", value: "N", help: "This node only" },
  timeout: { type: "number", value: "S", help: "Seconds to wait for replies, by default 2" },
  ...JSON_FLAG,
  ...DATABASE_FLAGS,
};
