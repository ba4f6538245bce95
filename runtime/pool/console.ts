/**
 * What a task prints, as something that its attempt has said: the console of a thread, with other ends. What hooks and
 * stray timers print while nothing runs goes where it always went.
 *
 * @module
 */
import type { LogLevel } from "./protocol.ts";

/** Where it goes while an attempt runs. */
export interface Printed {
  /** Whether one runs. */
  active(): boolean;
  /** A text of one or more lines; of the first so many characters more were written. */
  print(level: LogLevel, text: string, unseen?: number): void;
}

const METHODS = [
  "log",
  "info",
  "debug",
  "warn",
  "error",
  "trace",
  "assert",
  "dir",
  "dirxml",
  "table",
  "group",
];
const COUNTERS = ["groupCollapsed", "groupEnd", "count", "countReset", "time", "timeLog", "timeEnd"];
const LEVELS: Record<string, LogLevel> = { debug: "debug", warn: "warning", trace: "error", error: "error" };
LEVELS.assert = "error";

// deno-lint-ignore no-explicit-any
const scope = globalThis as any;

/** Lead the console of this thread to an attempt, while one runs. */
export function captureConsole(to: Printed): void {
  const { console } = scope;
  let level: LogLevel = "info";
  let formatter: Record<string, (...values: unknown[]) => void> | undefined;
  for (const name of [...METHODS, ...COUNTERS]) {
    const native = console[name];
    if (typeof native !== "function") continue;
    console[name] = (...values: unknown[]) => {
      if (!to.active()) return native.apply(console, values);
      level = LEVELS[name] ?? "info";
      const [text] = values;
      // Most calls: nothing to format, and nobody has begun a group.
      if (!formatter && METHODS.indexOf(name) < 5 && values.length === 1 && typeof text === "string") {
        return to.print(level, text);
      }
      formatter ??= formatterOf((text) => to.print(level, text));
      formatter[name](...values);
    };
  }
}

/** Loaded by the first call that needs it, and at once: an import would come too late for a call that returns. */
function formatterOf(print: (text: string) => void): Record<string, (...values: unknown[]) => void> {
  const { Writable } = scope.process.getBuiltinModule("node:stream");
  const { Console } = scope.process.getBuiltinModule("node:console");
  const end = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding: string, done: () => void) {
      print(chunk.replace(/\n$/, ""));
      done();
    },
  });
  return new Console({ stdout: end, stderr: end });
}
