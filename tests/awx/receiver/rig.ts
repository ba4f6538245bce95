/**
 * What the tests of the receiver stand on: a database with the control plane's tables, a Redis that can be stopped and
 * started again, and receivers as processes.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import postgres from "postgres";
import { connect } from "../../../mod.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import { guardChild } from "../../harness/child_guard.ts";
import {
  database,
  eventually,
  type Runtime,
  runtimes,
  tempDir,
  type TestContext,
  thisRuntime,
} from "../../harness.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FLAGS: Record<Runtime, string[]> = {
  deno: ["run", "-A", "--no-prompt", "-q"],
  bun: [],
  node: ["--no-warnings"],
};

/** Bring the dispatcher's tables and the control plane's into a database. */
export async function addTables(url: string): Promise<void> {
  const client = await connect({ databaseUrl: url, migrations: MIGRATIONS });
  await client.close();
}

/** A client for tests, which rides out restarts by itself only where its caller asks again. */
export function clientOf(t: TestContext, url: string): postgres.Sql {
  const sql = postgres(url, { max: 2, onnotice: () => {} });
  t.after(() => sql.end({ timeout: 1 }));
  return sql;
}

/** A database with all tables, and a job. */
export async function receiverDatabase(t: TestContext) {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  await addTables(db.url);
  const sql = clientOf(t, db.url);
  return { url: db.url, sql, job: (status = "running") => addJob(sql, status) };
}

export async function addJob(sql: postgres.Sql, status = "running"): Promise<number> {
  const [{ id }] =
    await sql`insert into awx.unified_job (kind, name, status) values ('job', 'Site', ${status})
    returning id`;
  return Number(id);
}

/** A Redis whose log is written through, so that killing it loses nothing. */
export class OwnRedis {
  readonly url: string;
  readonly #port: number;
  readonly #dir = tempDir();
  #proc: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}/0`;
  }

  static async start(): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort());
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const proc = this.#proc = spawn("redis-server", [
      ...["--bind", "127.0.0.1", "--port", `${this.#port}`, "--dir", this.#dir, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always"],
    ], { stdio: ["ignore", "pipe", "inherit"] });
    guardChild(proc);
    await new Promise<void>((resolve, reject) => {
      proc.once("error", reject);
      proc.once("exit", (code) => reject(new Error(`redis-server ended with ${code} before it was ready`)));
      let said = "";
      proc.stdout.setEncoding("utf8").on("data", (text: string) => {
        if ((said += text).includes("Ready to accept connections")) resolve();
      });
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const proc = this.#proc;
    if (!proc || proc.exitCode !== null || proc.signalCode !== null) return;
    const ended = new Promise((resolve) => proc.once("exit", resolve));
    proc.kill(signal);
    await ended;
  }

  /** A client, for a test that pushes. */
  client(t: TestContext): Redis {
    const client = new Redis(this.url);
    client.on("error", () => {});
    t.after(() => client.disconnect());
    return client;
  }
}

/** A Redis of a test. */
export async function ownRedis(t: TestContext): Promise<OwnRedis> {
  const redis = await OwnRedis.start();
  t.after(() => redis.stop("SIGKILL"));
  return redis;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A receiver as a user starts it. */
export class ReceiverProcess {
  readonly proc: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  #out = "";
  #err = "";

  constructor(
    args: string[],
    runtime: Runtime = thisRuntime(),
    env: Record<string, string> = {},
    flags: string[] = FLAGS[runtime],
  ) {
    const main = join(ROOT, runtime === "deno" ? "cli/main.ts" : "cli/launcher.mjs");
    this.proc = spawn(
      runtimes()[runtime],
      [...flags, main, "callback-receiver", ...args],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } },
    );
    guardChild(this.proc);
    this.proc.stdout!.setEncoding("utf8").on("data", (text: string) => this.#out += text);
    this.proc.stderr!.setEncoding("utf8").on("data", (text: string) => this.#err += text);
    this.exited = new Promise((resolve) =>
      this.proc.once("exit", (code, signal) => resolve({ code, signal }))
    );
  }

  get err(): string {
    return this.#err;
  }

  get ended(): boolean {
    return this.proc.exitCode !== null || this.proc.signalCode !== null;
  }

  /** Its `ready` line, as an object. */
  async ready(): Promise<Record<string, string>> {
    const line = await eventually(() => {
      if (this.ended) throw new Error(`The receiver ended: ${this.#err}`);
      return /^ready .*$/m.exec(this.#out)?.[0];
    }, { within: 30_000 });
    return Object.fromEntries(line!.split(" ").slice(1).map((fact) => fact.split(/=(.*)/).slice(0, 2)));
  }

  async stop(signal: NodeJS.Signals = "SIGTERM") {
    this.kill(signal);
    const bound = setTimeout(() => this.kill("SIGKILL"), 35_000);
    return await this.exited.finally(() => clearTimeout(bound));
  }

  /** Not proc.kill(): after it Deno says "ended by SIGTERM" of a process that caught it and exited with a code. */
  kill(signal: NodeJS.Signals): void {
    if (!this.ended) process.kill(this.proc.pid!, signal);
  }
}

/** A receiver that is ready, and is stopped with the test. */
export async function startedReceiver(
  t: TestContext,
  args: string[],
  env: Record<string, string> = {},
  flags?: string[],
) {
  const receiver = new ReceiverProcess(args, thisRuntime(), env, flags);
  t.after(() => receiver.stop("SIGKILL"));
  return Object.assign(receiver, { facts: await receiver.ready() });
}
