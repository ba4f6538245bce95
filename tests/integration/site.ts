/**
 * What the end-to-end tests of the command line share: an environment that nobody's shell has a say in, and one
 * node for all tests of a file where each of its own would cost too much.
 *
 * @module
 */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { connect } from "../../mod.ts";
import type { Client } from "../../runtime/client.ts";
import { database, eventually, type TestContext } from "../harness.ts";
import { type CliResult, type Exit, type NodeProcess, spawnCli, startNode } from "../processes.ts";

export const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/** An address where nobody listens. */
export const NOWHERE = "postgres://nobody:hunter2@127.0.0.1:1/none";
// Node strips the types of all files anew at every start, which is two thirds of what a command costs there.
const COMPILED = join(tmpdir(), "edge-test-compiled");

export type Env = Record<string, string | undefined>;
export type Row = Awaited<ReturnType<Client["list"]>>[number];
export type CliOptions = NonNullable<Parameters<typeof spawnCli>[1]>;

/** The variables of a database, with whatever else configures us taken away. */
export function environment(url: string | undefined, more: Env = {}): Env {
  const ours = Object.keys(process.env).filter((name) => /^(DISPATCHER_|PG|DATABASE_URL$)/.test(name));
  const none = Object.fromEntries(ours.map((name) => [name, undefined]));
  return { ...none, DISPATCHER_EXTENSION: "off", NODE_COMPILE_CACHE: COMPILED, DATABASE_URL: url, ...more };
}

/** Run a command on a database to its end. */
export async function cli(
  url: string | undefined,
  args: string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const result = await spawnCli(args, { ...options, env: environment(url, options.env) });
  // Deno tells what it looks for in the registry when it runs without -q, as `deno task` runs it.
  const deno = /^(Download https:.*|Blocking waiting for file lock on node_modules directory)\n/gm;
  return { ...result, stderr: result.stderr.replace(deno, "") };
}

/** Code, stdout and stderr of a command: to be compared as a whole. */
export function ended({ code, stdout, stderr }: CliResult): Pick<CliResult, "code" | "stdout" | "stderr"> {
  return { code, stdout, stderr };
}

/** Do it to all, so many at a time as a small machine has cores for. */
export async function atOnce<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const loop = async () => {
    for (const [i, item] of waiting) results[i] = await work(item);
  };
  await Promise.all([loop(), loop(), loop()]);
  return results;
}

/** The objects of NDJSON. */
// deno-lint-ignore no-explicit-any
export function ndjson(text: string): any[] {
  assert.ok(text === "" || text.endsWith("\n"), "the last line has no line feed");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** A database with a client and without a node. */
export interface Base {
  readonly url: string;
  readonly client: Client;
  readonly sql: postgres.Sql;
  cli(...args: string[]): Promise<CliResult>;
  /** `cli` with all that a process can be given. */
  cliWith(args: string[], options: CliOptions): Promise<CliResult>;
  /** Publish with the command line and give the uuid that it prints. */
  publish(...args: string[]): Promise<string>;
  row(uuid: string): Promise<Row>;
  /** Wait until an envelope is in a state. */
  until(uuid: string, state: Row["state"]): Promise<Row>;
}

/** A database with one node on it. */
export interface Site extends Base {
  readonly node: NodeProcess;
}

interface Open extends Base {
  close(): Promise<void>;
}

async function openBase(): Promise<Open> {
  const db = await database({ migrated: true });
  const client = await connect({ databaseUrl: db.url });
  const sql = postgres(db.url, { max: 2, onnotice: () => {} });
  const run = (...args: string[]) => cli(db.url, args);
  const row = async (uuid: string) => (await client.find(uuid))[0];
  return {
    url: db.url,
    client,
    sql,
    cli: run,
    cliWith: (args, options) => cli(db.url, args, options),
    async publish(...args) {
      const result = await run("publish", ...args);
      assert.equal(result.code, 0, result.stderr);
      return result.stdout.trim();
    },
    row,
    until: (uuid, state) =>
      eventually(async () => {
        const found = await row(uuid);
        if (found.state !== state) throw new Error(`${uuid} is ${found.state}, not ${state}`);
        return found;
      }, { within: 20_000 }),
    async close() {
      await Promise.all([client.close(), sql.end({ timeout: 1 })]);
      await db.drop();
    },
  };
}

/** A database of its own for one test. */
export async function base(t: TestContext): Promise<Base> {
  const open = await openBase();
  t.after(() => open.close());
  return open;
}

/** Start a node that is stopped after the test, without patience for what runs. */
export async function nodeFor(
  t: TestContext,
  url: string,
  args: string[],
  env: Env = {},
): Promise<NodeProcess> {
  const node = await startNode({ url, args, env: environment(url, env) });
  t.after(() => stopNow(node));
  return node;
}

/** Stop a node without patience for what runs; one that does not end in order is killed, and that is an error. */
export async function stopNow(node: NodeProcess): Promise<Exit> {
  let exit: Exit | undefined;
  void node.exited.then((found) => exit = found);
  try {
    node.kill("SIGCONT");
    node.kill("SIGTERM");
    // A second signal that comes before the first is handled would be one with it.
    await eventually(() => exit ?? node.stderr().includes("Draining"), { within: 8_000 });
    node.kill("SIGTERM");
    return await eventually(() => exit, { within: 8_000 }) as Exit;
  } finally {
    node.kill("SIGKILL");
  }
}

/** One node for all tests of a file; the last test must call `end`. */
export interface SharedSite {
  /** Started by the first test that asks. */
  (): Promise<Site>;
  /** Stop the node and drop the database; gives how the node ended and all that it printed. */
  end(): Promise<{ exit: Exit; output: string }>;
}

export function sharedSite(args: string[], env: Env = {}): SharedSite {
  let made: Promise<{ open: Open; node: NodeProcess }> | undefined;
  const make = async () => {
    const open = await openBase();
    const node = await startNode({ url: open.url, args, env: environment(open.url, env) });
    return { open, node };
  };
  const site = async () => {
    const { open, node } = await (made ??= make());
    return { ...open, node };
  };
  const end = async () => {
    const { open, node } = await (made ??= make());
    try {
      const exit = await stopNow(node);
      return { exit, output: node.stdout() + node.stderr() };
    } finally {
      await open.close();
    }
  };
  return Object.assign(site, { end });
}
