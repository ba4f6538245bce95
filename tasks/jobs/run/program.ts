/**
 * Runs programs of a job: each in a process group of its own, without a shell, its input empty, its output read no
 * faster than it is taken.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { type Guard, MARK } from "./guard.ts";

/** From SIGTERM to SIGKILL. */
const TERM_MS = 5_000;
/** How long an output may stay open after the program has ended, and after all who could hold it are gone. */
const HELD_MS = 50;
const DRAIN_MS = 1_000;

/** What to run. */
export interface Program {
  file: string;
  args?: readonly string[];
  cwd: string;
  /** All of its environment. */
  env: Readonly<Record<string, string>>;
}

/** How it is watched. */
export interface Watch {
  /** Ends it when the job is aborted. */
  guard: Guard;
  signal: AbortSignal;
  /** Performance time, in milliseconds, at which it is ended. */
  deadline?: number;
  /** Takes what it prints on both outputs; the next is read when the promise resolves. */
  output(text: string): Promise<void> | void;
}

/** How a program ended. */
export interface Exit {
  /** 128 and the signal's number where a signal ended it. */
  code: number;
  /** Its time was up, or the job's. */
  late: boolean;
}

/** A program that is not there, or may not be run. */
export class NoProgram extends Error {
  override name = "NoProgram";
}

/** Numbers of the signals that end a program here. */
const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/**
 * Run a program to its end and to that of its output. What it leaves running in silence ends with the job.
 *
 * @throws The signal's reason when it was aborted, {@link NoProgram}, or what `output` threw; it has ended then too.
 */
export async function run(program: Program, watch: Watch): Promise<Exit> {
  const { guard, signal, deadline, output } = watch;
  signal.throwIfAborted();
  const file = findProgram(program.file, program.env.PATH ?? "", program.cwd);
  if (!file) throw new NoProgram(`Cannot run "${program.file}": no such program on PATH`);
  const child = start(file, program, guard);
  const exited = exitOf(child);
  exited.catch(() => {});
  let late = false;
  let ending: Promise<void> | undefined;
  const end = () => ending ??= stop(guard, exited);
  const timer = deadline === undefined ? undefined : setTimeout(() => {
    late = true;
    void end();
  }, Math.max(0, deadline - performance.now()));
  try {
    const reading = { taking: false, at: performance.now() };
    const read = take(child, output, signal, reading);
    // Whoever should take it cannot.
    read.catch(() => void end());
    const code = await exited;
    // There is no time to wait for its last words.
    signal.throwIfAborted();
    // Or what it left running holds the output open.
    if (ending || !await within(read, HELD_MS)) await (ending ?? guard.kill());
    while (!await within(read, DRAIN_MS)) {
      // Nobody whom the guard finds has it open, and nothing comes.
      if (!reading.taking && performance.now() - reading.at >= DRAIN_MS) child.stdout!.destroy();
    }
    signal.throwIfAborted();
    return { code, late };
  } catch (error) {
    if (!signal.aborted) await end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Where a program is; undefined when it is nowhere. */
export function findProgram(file: string, path: string, cwd: string): string | undefined {
  const places = isAbsolute(file) || file.includes("/")
    ? [resolve(cwd, file)]
    : path.split(delimiter).filter(Boolean).map((directory) => join(directory, file));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return statSync(place).isFile();
    } catch {
      return false;
    }
  });
}

function start(file: string, { args = [], cwd, env }: Program, guard: Guard): ChildProcess {
  // Both outputs into one pipe keep their order; the shell becomes the program.
  const child = spawn("/bin/sh", ["-c", 'exec "$0" "$@" 2>&1', file, ...args], {
    cwd,
    env: { ...env, [MARK]: guard.mark },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  if (child.pid !== undefined) guard.watch(child.pid);
  return child;
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code, signal) => done(code ?? 128 + (SIGNALS[signal ?? ""] ?? 0)));
  });
}

async function stop(guard: Guard, exited: Promise<number>): Promise<void> {
  guard.term();
  let timer;
  const bound = new Promise((done) => timer = setTimeout(done, TERM_MS));
  await Promise.race([exited.catch(() => {}), bound]);
  clearTimeout(timer);
  await guard.kill();
}

/** Whether it is over in so many milliseconds. */
async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const bound = new Promise<boolean>((late) => timer = setTimeout(late, ms, false));
  return await Promise.race([work.then(() => true), bound]).finally(() => clearTimeout(timer));
}

async function take(
  child: ChildProcess,
  output: Watch["output"],
  signal: AbortSignal,
  reading: { taking: boolean; at: number },
): Promise<void> {
  const stream = child.stdout!;
  stream.setEncoding("utf8");
  try {
    for await (const text of stream) {
      reading.taking = true;
      // What was printed before an abort is kept, but nobody waits for room for it.
      const taken = output(text as string);
      if (taken && !signal.aborted) await taken;
      Object.assign(reading, { taking: false, at: performance.now() });
    }
  } catch (error) {
    // Destroyed by us: whoever held it open had left the job.
    if ((error as { code?: string }).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
