/**
 * The whole terminal for a while: its other screen, its keys one by one, and everything as it was at the end, however
 * that comes.
 *
 * @module
 */
import process from "node:process";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[2J";
const LEAVE = "\u001b[?25h\u001b[?1049l";

/** What a person may press. */
export type Key = "quit" | "pause" | "up" | "down";

/** Keys by what the terminal sends. */
const KEYS: Readonly<Record<string, Key>> = {
  q: "quit",
  Q: "quit",
  "\u0003": "quit",
  "\u001b": "quit",
  p: "pause",
  P: "pause",
  " ": "pause",
  "\u001b[A": "up",
  "\u001bOA": "up",
  k: "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
  j: "down",
};

/** The keys in what came at once: several may, when they are pressed fast. */
export function keysOf(text: string): Key[] {
  // deno-lint-ignore no-control-regex
  const found = text.match(/\u001b(?:\[|O)[A-Za-z]|[^]/g) ?? [];
  return found.flatMap((one) => KEYS[one] ?? []);
}

/** The terminal while it is ours. */
export interface Terminal {
  size(): { columns: number; rows: number };
  draw(lines: string[]): void;
  /** Give it back; any number of times. */
  restore(): void;
}

/** Take the terminal. Ctrl-C, SIGTERM and SIGHUP are keys that quit; errors give it back before they are told. */
export function takeTerminal(on: { key(key: Key): void; resized(): void }): Terminal {
  const { stdin, stdout } = process;
  let ours = true;
  const quit = () => on.key("quit");
  const pressed = (chunk: Uint8Array | string) => {
    for (const key of keysOf(chunk.toString())) on.key(key);
  };
  const restore = () => {
    if (!ours) return;
    ours = false;
    stdout.write(LEAVE);
    stdin.off("data", pressed);
    stdin.setRawMode(false);
    stdin.pause();
    stdout.off("resize", on.resized);
    process.off("exit", restore);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, quit);
  };
  process.on("exit", restore);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, quit);
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on("data", pressed);
  stdout.on("resize", on.resized);
  stdout.write(ENTER);
  return {
    size: () => ({ columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }),
    // Written over line by line, not cleared first: nothing flickers.
    draw: (lines) =>
      void stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`),
    restore,
  };
}
