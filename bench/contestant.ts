/**
 * Who takes part in a measurement: a program in a process of its own, so that none runs on what another left behind.
 * It is asked in JSON, a line each, and ends with its input, however the one who asks ended.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { commandOf, type Runtime } from "./runtimes.ts";

/** A program that answers with numbers. */
export interface Contestant {
  readonly pid: number;
  ask(what: string, settings?: object): Promise<Record<string, number>>;
  end(): Promise<void>;
}

/** What a program can be asked, by name. */
// deno-lint-ignore no-explicit-any
export type Answers = Record<string, (settings: any) => Promise<Record<string, number>>>;

/** Start a module of this folder; `settings` are what it makes its answers of. */
export function contestant(runtime: Runtime, module: string, settings: object = {}): Contestant {
  const [file, ...args] = commandOf(runtime);
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child = spawn(file, [...args, path, JSON.stringify(settings)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.on("error", () => {});
  return {
    pid: child.pid!,
    async ask(what, settings = {}) {
      child.stdin.write(`${JSON.stringify({ what, settings })}\n`);
      const { value } = await lines.next();
      if (value === undefined) throw new Error(`${module} ended before it answered "${what}"`);
      return JSON.parse(value);
    },
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}

/** Answer until the input ends. For the module of a contestant. */
// deno-lint-ignore no-explicit-any
export async function compete(make: (settings: any) => Promise<Answers>): Promise<void> {
  // The one who asks decides; a signal to the group is for him.
  process.on("SIGINT", () => {});
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  const queue: string[] = [];
  let next = () => {};
  lines.on("line", (line) => {
    queue.push(line);
    next();
  });
  const answers = await make(JSON.parse(process.argv[2]));
  for (;;) {
    while (queue.length === 0) await new Promise<void>((resolve) => next = resolve);
    const { what, settings } = JSON.parse(queue.shift()!);
    console.log(JSON.stringify(await answers[what](settings)));
  }
}
