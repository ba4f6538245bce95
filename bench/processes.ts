/**
 * The processes of a measurement: a runtime with a module, told to end when its work is over, killed when the
 * measurement ends before.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as rest } from "node:timers/promises";
import { guardChild } from "../tests/harness/child_guard.ts";
import { type Runtime, runtimes } from "../tests/harness/runtimes.ts";

const PATIENCE_MS = 10_000;
/** What comes before the module's name. */
const RUN: Record<Runtime, string[]> = { deno: ["run", "-A", "-q"], bun: [], node: ["--no-warnings"] };

/** A process that runs. */
export class Process {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** The end of what it wrote to stderr. */
  #errors = "";

  constructor(command: string, args: string[], cwd?: string) {
    this.#child = spawn(command, args, { cwd, stdio: ["pipe", "pipe", "pipe"] });
    guardChild(this.#child);
    this.#exited = once(this.#child, "exit");
    this.#child.stderr!.on("data", (chunk) => this.#errors = `${this.#errors}${chunk}`.slice(-2_000));
    this.#child.stdin!.on("error", () => {});
  }

  /** A module on a runtime. */
  static of(runtime: Runtime, args: string[]): Process {
    return new Process(runtimes()[runtime], [...RUN[runtime], ...args]);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Call `read` with every line it prints. */
  lines(read: (line: string) => void): void {
    createInterface({ input: this.#child.stdout! }).on("line", read);
  }

  write(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Rejects with what it said last when it ends. */
  async ended(): Promise<never> {
    await this.#exited;
    throw new Error(`Process ${this.pid} ended: ${this.#errors}`);
  }

  /** End it, by force if it takes its time. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    const late = new AbortController();
    await Promise.race([this.#exited, rest(PATIENCE_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

/** A process of `actor.ts`, which does what it is asked. */
export class Actor {
  readonly #process: Process;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #calls = 0;
  /** Why nothing is answered any more. */
  #over: Error | undefined;

  constructor(process: Process) {
    this.#process = process;
    process.lines((line) => {
      // A library may have something to say, too.
      if (!line.startsWith('{"id":')) return;
      const { id, result, error } = JSON.parse(line);
      const call = this.#open.get(id);
      this.#open.delete(id);
      if (error) call?.reject(new Error(error));
      else call?.resolve(result);
    });
    process.ended().catch((error) => {
      this.#over = error;
      this.#open.forEach((call) => call.reject(error));
    });
  }

  call<T = void>(method: string, ...args: unknown[]): Promise<T> {
    if (this.#over) return Promise.reject(this.#over);
    const id = this.#calls++;
    return new Promise<T>((resolve, reject) => {
      this.#open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.write(JSON.stringify({ id, method, args }));
    });
  }

  /** Rejects with what it said last when it ends. */
  ended(): Promise<never> {
    return this.#process.ended();
  }

  stop(signal?: NodeJS.Signals): Promise<void> {
    return this.#process.stop(signal);
  }
}
