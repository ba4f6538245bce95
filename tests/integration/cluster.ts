/**
 * A database of its own with a client, and nodes on it: what an end-to-end test begins with.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../../mod.ts";
import type { Client } from "../../runtime/client.ts";
import { database, eventually, type Runtime, tempDir, type TestContext } from "../harness.ts";
import { type CliResult, type NodeProcess, spawnCli, startNode } from "../processes.ts";

export { descendants, isRunning, ticksOf } from "../processes_below.ts";

/** Root of the tasks that only tests run. */
export const FIXTURES = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
const STOP_BOUND = 8_000;

export type Row = Awaited<ReturnType<Client["list"]>>[number];

/** What a node of a test is started with. */
export interface NodeOptions {
  name: string;
  /** Another way to the database than the direct one. */
  url?: string;
  runtime?: Runtime;
  /** The project's own unless told. */
  tasks?: string;
  workers?: number;
  /** Whether it serves HTTP, on a port of its own. */
  http?: boolean;
  /** What its process is started by, see `SpawnOptions`. */
  before?: string[];
  /** Content of its configuration file. */
  config?: Record<string, unknown>;
  /** Whether it uses `extension.ts` of its tasks root. */
  extension?: boolean;
  env?: Record<string, string>;
}

export interface Cluster {
  readonly url: string;
  readonly client: Client;
  /** Start a node; it is stopped after the test, without patience for what still runs. */
  node(options: NodeOptions): Promise<NodeProcess>;
  cli(...args: string[]): Promise<CliResult>;
  /** All that is known of one envelope. */
  row(uuid: string): Promise<Row>;
  /** Wait until an envelope looks like this. */
  until(uuid: string, looks: (row: Row) => unknown, within?: number): Promise<Row>;
}

/** Make a database and a client for it. */
export async function cluster(t: TestContext): Promise<Cluster> {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  const nodes: NodeProcess[] = [];
  t.after(() => Promise.all(nodes.map(stopNow)));
  const row = async (uuid: string) => (await client.find(uuid))[0];
  return {
    url: db.url,
    client,
    row,
    async node(options) {
      const { runtime, before, url = db.url, extension = false } = options;
      const env = { DISPATCHER_EXTENSION: extension ? "on" : "off", ...options.env };
      const node = await startNode({ url, runtime, before, env, args: argsOf(options) });
      nodes.push(node);
      return node;
    },
    cli: (...args) => spawnCli([...args, "--database-url", db.url]),
    until: (uuid, looks, within = 20_000) =>
      eventually(async () => {
        const found = await row(uuid);
        if (await looks(found)) return found;
        // So that who waited in vain is told what there was instead.
        throw new Error(JSON.stringify(found));
      }, { within }) as Promise<Row>,
  };
}

function argsOf({ name, tasks, workers, config, http }: NodeOptions): string[] {
  const args = ["--node", name];
  if (http) args.push("--http", "127.0.0.1:0");
  if (tasks !== undefined) args.push("--tasks", tasks);
  if (workers !== undefined) args.push("--workers", `${workers}`);
  if (config !== undefined) {
    const file = join(tempDir(), "config.json");
    writeFileSync(file, JSON.stringify(config));
    args.push("--config", file);
  }
  return args;
}

/** Twice SIGTERM: drain, and do not wait for what runs. A node that does not end then fails its test. */
async function stopNow(node: NodeProcess): Promise<void> {
  let ended = false;
  const exited = node.exited.finally(() => ended = true);
  node.kill("SIGTERM");
  try {
    // Two signals at once may be delivered as one.
    await eventually(() => ended || node.stderr().includes("Draining"), { within: STOP_BOUND });
    node.kill("SIGTERM");
    await eventually(() => ended, { within: STOP_BOUND });
  } finally {
    node.kill("SIGKILL");
    await exited;
  }
}

/** Run a shell command in a folder and give what it prints. */
export function shell(command: string, cwd: string): string {
  const { status, stdout, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", command], {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}
