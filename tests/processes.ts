/**
 * The program as a user runs it, for end-to-end tests: `spawnCli` for a command that ends, `startNode` for a
 * dispatcher node. Whatever is still running when the test process ends is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { guardChild } from "./harness/child_guard.ts";
import { type Runtime, runtimes, thisRuntime } from "./harness/runtimes.ts";

export interface Exit {
  code: number | null;
  signal: string | null;
}

export interface CliResult extends Exit {
  stdout: string;
  stderr: string;
}

export interface SpawnOptions {
  /** This test's own unless told. */
  runtime?: Runtime;
  /** On top of this process's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** A command that runs the program, such as `env -i`; it must become the program, not stay in front of it. */
  before?: string[];
  /** What the runtime is given before the program; on Deno `-A --no-prompt` unless told. */
  flags?: string[];
  /** The program, `cli/main.ts` unless told. */
  main?: string;
}

export interface NodeProcess {
  readonly proc: ChildProcess;
  readonly pid: number;
  /** The line `ready node=…` and the name in it. */
  readonly line: string;
  readonly name: string;
  /** Where it serves HTTP, such as `http://127.0.0.1:4711`; empty when it does not. */
  readonly http: string;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<Exit>;
  /** SIGTERM, and SIGKILL after 40 s. */
  stop(): Promise<Exit>;
}

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const READY = /^ready node=(\S+).*$/m;
const READY_BOUND = 30_000;
const STOP_BOUND = 40_000;

/**
 * Run `cli/main.ts` with `args` to its end, `stdin` as its whole input; it is killed after `timeout` ms (60,000).
 * `printed` hears what it prints on stdout while it runs; `signal` ends it as Ctrl-C does.
 */
export async function spawnCli(
  args: string[],
  options: SpawnOptions & {
    stdin?: string;
    timeout?: number;
    printed?: (text: string) => void;
    signal?: AbortSignal;
  } = {},
): Promise<CliResult> {
  const child = start(args, options);
  const { printed, signal } = options;
  if (printed) child.proc.stdout?.on("data", printed);
  signal?.addEventListener("abort", () => signalTo(child.proc, "SIGINT"));
  // A command that does not read its input may be gone before it is written.
  child.proc.stdin?.on("error", () => {}).end(options.stdin ?? "");
  const bound = setTimeout(() => child.proc.kill("SIGKILL"), options.timeout ?? 60_000);
  try {
    const exit = await child.exited;
    await child.outputEnded;
    return { ...exit, stdout: child.stdout(), stderr: child.stderr() };
  } finally {
    clearTimeout(bound);
  }
}

/** Start a dispatcher node on the database `url` and resolve once it has said that it is ready. */
export async function startNode(
  options: SpawnOptions & { url: string; args?: string[] },
): Promise<NodeProcess> {
  const { args: more = [] } = options;
  const off = more.includes("--http") ? [] : ["--no-http"];
  const args = ["dispatcher", ...off, "--database-url", options.url, ...more];
  const child = start(args, options);
  const { proc, exited, stdout, stderr } = child;
  proc.stdin?.end();
  const [line, name] = await ready(child);
  const kill = (signal: NodeJS.Signals) => signalTo(proc, signal);
  const stop = async () => {
    kill("SIGTERM");
    const bound = setTimeout(kill, STOP_BOUND, "SIGKILL");
    return await exited.finally(() => clearTimeout(bound));
  };
  const [, address = "off"] = /http=(\S+)/.exec(line) ?? [];
  const http = address === "off" ? "" : `http://${address}`;
  return { proc, pid: proc.pid!, line, name, http, stdout, stderr, kill, exited, stop };
}

/** Not proc.kill(): after it Deno says "ended by SIGTERM" of a process that caught it and exited with a code. */
function signalTo(proc: ChildProcess, signal: NodeJS.Signals): void {
  if (proc.exitCode !== null || proc.signalCode !== null) return;
  try {
    process.kill(proc.pid!, signal);
  } catch {
    // It has just ended; its "exit" is on the way.
  }
}

interface Child {
  proc: ChildProcess;
  stdout(): string;
  stderr(): string;
  exited: Promise<Exit>;
  /** Resolves when both outputs are closed, or a second after the exit: a daemon it left may hold them open. */
  outputEnded: Promise<unknown>;
}

const FLAGS = { deno: ["-A", "--no-prompt"], bun: [], node: ["--no-warnings"] };

function start(args: string[], options: SpawnOptions): Child {
  const { runtime = thisRuntime(), env, cwd, before = [], main = MAIN } = options;
  const binary = runtimes()[runtime];
  if (!binary) throw new Error(`Cannot start cli/main.ts on ${runtime}: no such runtime here`);
  const flags = [...runtime === "deno" ? ["run"] : [], ...options.flags ?? FLAGS[runtime]];
  const merged: Record<string, string | undefined> = { ...process.env, NO_COLOR: "1", ...env };
  for (const [name, value] of Object.entries(merged)) if (value === undefined) delete merged[name];
  const [file, ...words] = [...before, binary, ...flags, main, ...args];
  const proc = spawn(file, words, { cwd, env: merged, stdio: "pipe" });
  guardChild(proc);
  const exited = new Promise<Exit>((resolve, reject) => {
    proc.once("error", reject);
    proc.once("exit", (code, signal) => resolve({ code, signal }));
  });
  exited.catch(() => {});
  const closed = new Promise((resolve) => proc.once("close", resolve));
  const outputEnded = Promise.race([
    closed,
    exited.then(() => new Promise((done) => setTimeout(done, 1000))),
  ]);
  return { proc, stdout: collect(proc.stdout), stderr: collect(proc.stderr), exited, outputEnded };
}

function ready(child: Child): Promise<[line: string, name: string]> {
  return new Promise((resolve, reject) => {
    const look = () => {
      // Only whole lines: the name may arrive in two pieces.
      const whole = [child.stdout(), child.stderr()].map((text) => text.slice(0, text.lastIndexOf("\n") + 1));
      const found = READY.exec(whole[0]) ?? READY.exec(whole[1]);
      if (found) settle(() => resolve([found[0], found[1]]));
    };
    const fail = (what: string) => reject(new Error(`${what}:\n${child.stderr() || child.stdout()}`));
    const settle = (verdict: () => void) => {
      clearTimeout(bound);
      for (const output of [child.proc.stdout, child.proc.stderr]) output?.off("data", look);
      verdict();
    };
    const bound = setTimeout(() => {
      child.proc.kill("SIGKILL");
      settle(() => fail(`The node was not ready after ${READY_BOUND} ms`));
    }, READY_BOUND);
    for (const output of [child.proc.stdout, child.proc.stderr]) output?.on("data", look);
    child.exited.then(async ({ code, signal }) => {
      await child.outputEnded;
      settle(() => fail(`The node ended (code ${code}, signal ${signal}) before it was ready`));
    }, (error) => settle(() => reject(error)));
  });
}

/** Gather an output as text; the stream decodes, since a character may arrive in two pieces. */
function collect(output: ChildProcess["stdout"]): () => string {
  let text = "";
  output?.setEncoding("utf8").on("data", (piece: string) => text += piece);
  return () => text;
}
