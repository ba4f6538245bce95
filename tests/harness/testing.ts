import process from "node:process";
import * as nodeTimers from "node:timers";
import { inspect } from "node:util";
import { onProcessEnd } from "./process_end.ts";
import { record } from "./record.ts";

/** What a test function is given; it may ignore it. */
export interface TestContext {
  readonly name: string;
  /** Aborts when the test times out, before its clean-ups run. */
  readonly signal: AbortSignal;
  /** Run `cleanup` after the test whatever its end, the last one given first; one that throws fails the test. */
  after(cleanup: () => unknown): void;
}

export type TestFunction = (t: TestContext) => unknown;

export interface TestOptions {
  /** The reason not to run it; false or empty runs it. */
  skip?: string | false;
  /** Milliseconds, 60,000 unless told. */
  timeout?: number;
}

type Register = (
  name: string,
  options: { skip: string | false; timeout: number },
  run: () => unknown,
) => void;

const CLEANUP_BOUND = 10_000;

// What the project's own tasks bring with them (schedules, tables, pages) is for the tests of that.
process.env.DISPATCHER_EXTENSION ??= "off";
// Taken now, since a test may put a fake clock in the place of the global ones.
const { setTimeout, clearTimeout } = nodeTimers;
const register = "Deno" in globalThis ? onDeno() : await onNode();
let registered = 0;
watchStrayErrors();

/** Declare a test; the tests of a file run one after another, in the order written. */
export function test(name: string, fn: TestFunction): void;
export function test(name: string, options: TestOptions, fn: TestFunction): void;
export function test(name: string, second: TestOptions | TestFunction, third?: TestFunction): void {
  const options = typeof second === "function" ? {} : second;
  const fn = typeof second === "function" ? second : third;
  if (!fn) throw new TypeError(`Cannot declare the test ${JSON.stringify(name)} without a function`);
  const id = registered++;
  const skip = options.skip || false;
  const timeout = options.timeout ?? 60_000;
  record({ type: "test", id, name });
  if (skip) record({ type: "end", id, status: "skipped", ms: 0, detail: skip });
  register(
    name,
    { skip, timeout: timeout + 2 * CLEANUP_BOUND },
    () => reported(id, () => bounded(name, timeout, fn)),
  );
}

async function reported(id: number, run: () => Promise<void>): Promise<void> {
  record({ type: "start", id });
  const started = performance.now();
  try {
    await run();
    record({ type: "end", id, status: "passed", ms: performance.now() - started });
  } catch (error) {
    record({ type: "end", id, status: "failed", ms: performance.now() - started, detail: inspect(error) });
    throw error;
  }
}

/** The timeout is kept here rather than by the three test runners, so that clean-ups run and the report knows. */
async function bounded(name: string, timeout: number, fn: TestFunction): Promise<void> {
  const controller = new AbortController();
  const cleanups: (() => unknown)[] = [];
  const context: TestContext = {
    name,
    signal: controller.signal,
    after: (cleanup) => void cleanups.push(cleanup),
  };
  const failures: unknown[] = [];
  await within(timeout, `Test timed out after ${timeout} ms`, () => fn(context)).catch((error) => {
    failures.push(error);
    controller.abort(error);
  });
  const cleanUp = async () => {
    for (const cleanup of cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await within(CLEANUP_BOUND, `Clean-up still ran after ${CLEANUP_BOUND} ms`, cleanUp)
    .catch((error) => failures.push(error));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "The test failed, and so did its clean-up");
}

async function within(ms: number, message: string, fn: () => unknown): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  // Referenced on purpose: Node ends a process whose only pending thing is a promise.
  const timer = setTimeout(() => reject(new Error(message)), ms);
  try {
    await Promise.race([promise, (async () => await fn())()]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Not `node:test` on Deno: its emulation swallows every error that is thrown outside of a test function (a late
 * timer, even the top level of the file) and reports success (seen on 2.9.6).
 */
function onDeno(): Register {
  // deno-lint-ignore no-explicit-any
  const deno = (globalThis as any).Deno;
  return (name, { skip }, fn) =>
    deno.test({ name, fn, ignore: skip !== false, sanitizeOps: false, sanitizeResources: false });
}

async function onNode(): Promise<Register> {
  const { test } = await import("node:test");
  return (name, options, fn) => void test(name, options, async () => void (await fn()));
}

/**
 * Node reports an error thrown after its test has ended as a mere remark and exits 0: make it count. Deno and
 * Bun fail the file by themselves, and a listener there would hide the error.
 */
function watchStrayErrors(): void {
  if ("Deno" in globalThis || process.versions.bun) return;
  let stray = false;
  const note = (error: unknown) => {
    stray = true;
    record({ type: "stray", detail: inspect(error) });
  };
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  onProcessEnd(() => {
    if (stray && !process.exitCode) process.exitCode = 1;
  });
}
