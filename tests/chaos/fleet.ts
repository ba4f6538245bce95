/**
 * The nodes of a chaos run: the program as a user runs it, one process a node, each behind a proxy of its own.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guardChild } from "../harness/child_guard.ts";
import { type Runtime, runtimes } from "../harness/runtimes.ts";
import { tempDir } from "../harness/temp_dir.ts";
import type { TcpProxy } from "../harness/tcp_proxy.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const TASKS = fileURLToPath(new URL("./tasks", import.meta.url));
const FLAGS: Record<Runtime, string[]> = {
  deno: ["run", "-A", "-q", "--no-prompt"],
  bun: [],
  node: ["--no-warnings"],
};

/** Short times, so that a run of half a minute sees leases end. Seconds. */
export const TIMES = {
  lease_seconds: 3,
  heartbeat_seconds: 0.5,
  leader_seconds: 2.5,
  safety_poll_seconds: 2,
  self_check_seconds: 2,
  self_check_timeout: 1,
  shutdown_wait: 2,
  priority_ageing_seconds: 2,
  reserve_after_seconds: 1,
  preempt_after_seconds: 0.2,
};
/** What each node has of what some envelopes ask for. */
export const UNITS = 3;

/** A line that a node wrote. */
export interface LogLine {
  /** Milliseconds since 1970. */
  at: number;
  text: string;
}

/** How a process ended that nobody had asked to end. */
export interface Surprise {
  node: string;
  how: string;
  last: string[];
}

/** One node, through all its processes. */
export class ChaosNode {
  readonly name: string;
  readonly runtime: Runtime;
  readonly proxy: TcpProxy;
  readonly lines: LogLine[] = [];
  readonly surprises: Surprise[] = [];
  readonly #config: string;
  readonly #directUrl: string;
  #proc: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #ready: Promise<void> = Promise.resolve();
  #meant = false;
  #closed = false;
  /** Is told of every process that it starts. */
  started: ((pid: number) => void) | undefined;

  constructor(name: string, runtime: Runtime, proxy: TcpProxy, directUrl: string) {
    this.name = name;
    this.runtime = runtime;
    this.proxy = proxy;
    this.#directUrl = directUrl;
    this.#config = join(tempDir(), "node.json");
    writeFileSync(
      this.#config,
      JSON.stringify({
        ...TIMES,
        resources: { unit: UNITS },
        backoff: { base: 0.1, factor: 1.5, max: 0.5 },
        pool: { min_workers: 3, max_workers: 4, slots_per_host: 2, abort_grace: 0.3 },
        log_format: "json",
      }),
    );
  }

  get pid(): number | undefined {
    return this.#proc?.pid;
  }

  /** Start its process, as a supervisor would: again, if it ends without being told to. */
  start(): void {
    if (this.#proc || this.#closed) return;
    const args = ["dispatcher", "--no-http", "--node", this.name, "--tasks", TASKS, "--config", this.#config];
    const env = {
      ...clean(process.env),
      NO_COLOR: "1",
      DATABASE_URL: this.proxy.url,
      CHAOS_DATABASE_URL: this.#directUrl,
      CHAOS_NODE: this.name,
    };
    const proc = spawn(runtimes()[this.runtime], [...FLAGS[this.runtime], MAIN, ...args], {
      env,
      stdio: "pipe",
    });
    guardChild(proc);
    proc.stdin!.end();
    this.#proc = proc;
    this.#meant = false;
    if (proc.pid !== undefined) this.started?.(proc.pid);
    this.#ready = new Promise((resolve) => {
      this.#read(proc, (text) => text.includes('"event":"ready"') && resolve());
    });
    this.#exited = new Promise((resolve) => {
      proc.once("error", () => resolve());
      proc.once("exit", (code, signal) => {
        this.#proc = undefined;
        if (!this.#meant) this.#surprised(signal ? `ended by ${signal}` : `exit code ${code}`);
        resolve();
      });
    });
  }

  #read(proc: ChildProcess, seen: (text: string) => unknown): void {
    for (const stream of [proc.stdout!, proc.stderr!]) {
      let rest = "";
      stream.setEncoding("utf8").on("data", (piece: string) => {
        const whole = (rest + piece).split("\n");
        rest = whole.pop()!;
        for (const text of whole) {
          this.lines.push({ at: Date.now(), text });
          seen(text);
        }
      });
    }
  }

  #surprised(how: string): void {
    const last = this.lines.slice(-15).map(({ text }) => text);
    this.surprises.push({ node: this.name, how, last });
    if (this.surprises.length < 20) setTimeout(() => this.start(), 500);
  }

  /** Resolves when the process that runs now has said that it is ready. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Send a signal to the process, or nothing when there is none. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It has just ended.
    }
  }

  /** Kill it; it stays away until it is started. */
  async kill(): Promise<void> {
    this.#meant = true;
    this.signal("SIGKILL");
    await this.#exited;
  }

  /** Drain it; what does not end in time is killed, which is a surprise. */
  async drain(ms: number): Promise<void> {
    const pid = this.pid;
    if (pid === undefined) return;
    this.#meant = true;
    this.signal("SIGTERM");
    const bound = setTimeout(() => {
      this.surprises.push({
        node: this.name,
        how: `did not end within ${ms} ms of SIGTERM`,
        last: this.lines.slice(-15).map(({ text }) => text),
      });
      this.signal("SIGKILL");
    }, ms);
    await this.#exited;
    clearTimeout(bound);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.signal("SIGCONT");
    await this.kill();
    await this.proxy.close();
  }
}

/** Without what configures us, or belongs to the server that is broken. */
function clean(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(DISPATCHER_|PG|DATABASE_URL$|TEST_DATABASE_URL$)/.test(name)),
  );
}
