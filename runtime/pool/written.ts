/**
 * What a task writes to its standard output and error, as lines that its attempt has said: each when it is whole, and
 * the rest of one when the attempt ends.
 *
 * @module
 */
import { divertOutput, type EndName } from "../platform/thread_output.ts";
import { captureConsole, type Printed } from "./console.ts";
import type { LogLevel } from "./protocol.ts";

/** Of a line that has no end yet so many characters are held, and of those behind them only the number. */
const HELD = 10_000;

/** What is written to one end; each piece is its attempt's. */
class Line {
  #text = "";
  #unseen = 0;
  // There once bytes came: a character may lie in two pieces.
  #decoder: TextDecoder | undefined;

  add(piece: string | Uint8Array, print: (text: string, unseen: number) => void): void {
    const text = typeof piece === "string" ? piece : this.#decoded(piece);
    const end = text.lastIndexOf("\n");
    if (end >= 0) this.finish(text.slice(0, end), print);
    this.#hold(text.slice(end + 1));
  }

  /** Print what is held, with what ends the line. */
  finish(text: string, print: (text: string, unseen: number) => void): void {
    const whole = this.#text + text;
    const unseen = this.#unseen;
    this.#text = "";
    this.#unseen = 0;
    print(whole, unseen);
  }

  /** No more comes of this attempt. */
  end(print: (text: string, unseen: number) => void): void {
    if (this.#decoder) this.#hold(this.#decoder.decode());
    this.#decoder = undefined;
    if (this.#text !== "") this.finish("", print);
  }

  #hold(text: string): void {
    if (this.#text.length < HELD) this.#text += text;
    else this.#unseen += text.length;
  }

  #decoded(bytes: Uint8Array): string {
    this.#decoder ??= new TextDecoder("utf-8", { ignoreBOM: true });
    return this.#decoder.decode(bytes, { stream: true });
  }
}

const LEVELS: Record<EndName, LogLevel> = { stdout: "info", stderr: "error" };

/** What the attempts of a thread print, whichever way. */
export class Written {
  readonly #to: Printed;
  readonly #lines: Record<EndName, Line> = { stdout: new Line(), stderr: new Line() };
  // Whether there may be a line without an end; most attempts write nothing.
  #open = false;

  constructor(to: Printed) {
    this.#to = to;
  }

  /** Lead console, standard output and error of this thread here. */
  capture(): void {
    captureConsole({
      active: () => this.#to.active(),
      print: (level, text) => this.#console(level, text),
    });
    divertOutput({
      take: (end, piece) => this.take(end, piece),
      breaking: () => this.end(),
    });
  }

  /** Take a piece; false when no attempt runs. */
  take(end: EndName, piece: string | Uint8Array): boolean {
    if (!this.#to.active()) return false;
    this.#open = true;
    this.#lines[end].add(piece, (text, unseen) => this.#to.print(LEVELS[end], text, unseen));
    return true;
  }

  /** As on a terminal, it goes on where the end was left: `write("working… ")`, then `console.log("done")`. */
  #console(level: LogLevel, text: string): void {
    const line = this.#lines[level === "info" || level === "debug" ? "stdout" : "stderr"];
    line.finish(text, (text, unseen) => this.#to.print(level, text, unseen));
  }

  /** The attempt ends: what has no line feed is printed all the same. */
  end(): void {
    if (!this.#open || !this.#to.active()) return;
    this.#open = false;
    for (const end of ["stdout", "stderr"] as const) {
      this.#lines[end].end((text, unseen) => this.#to.print(LEVELS[end], text, unseen));
    }
  }
}
