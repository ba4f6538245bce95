/**
 * What a node tells systemd that started it (`Type=notify`): that it starts, is ready, lives, drains.
 *
 * ```text
 *  starting ──ready()──► running ──stopping()──► draining
 *  EXTEND_TIMEOUT_USEC   READY=1, WATCHDOG=1     STOPPING=1, WATCHDOG=1
 * ```
 *
 * Its socket takes datagrams, which no runtime can send to a Unix socket without native code, so `systemd-notify` is run
 * for each message: about four a minute. Messages come from a child, hence `NotifyAccess=all`.
 *
 * | what fails | what happens |
 * |---|---|
 * | a loop of the node hangs, or the process is stopped or too busy to run a timer | no ping: systemd ends it and starts it anew |
 * | the database is away | pings go on: a new start would not mend it, and cut off what runs |
 * | `systemd-notify` is missing or fails | one warning; systemd ends the start when its timeout is over |
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import type { Clock } from "./clock.ts";
import type { Events } from "./events.ts";

/** What the node says of itself when it is asked. */
export interface Pulse {
  /** The loop that hangs, if one does. */
  stuck?: string;
  /** One line for `systemctl status`. */
  status: string;
}

/** What it works with. */
export interface SystemdParts {
  events: Events;
  clock: Clock;
  /** Taken from it, so that no task can speak for the node. */
  env?: Record<string, string | undefined>;
  pid?: number;
  /** Deliver a message; rejects when it cannot. */
  send?(assignments: string[], socket: string): Promise<void>;
}

/** Between two messages where systemd watches no time. */
const QUIET_MS = 30_000;
/** What a message may take. */
const SEND_MS = 10_000;

type Parts = SystemdParts & { socket: string; send: NonNullable<SystemdParts["send"]> };

/** The line to systemd. Use {@link systemd}. */
export class Systemd {
  readonly #parts: Parts;
  readonly #everyMs: number;
  readonly #watched: boolean;
  readonly #end = new AbortController();
  #phase: "starting" | "running" | "draining" = "starting";
  #pulse: () => Pulse = () => ({ status: "starting" });
  #complained = false;

  constructor(parts: Parts, watchdogMs: number | undefined) {
    this.#parts = parts;
    this.#watched = watchdogMs !== undefined;
    this.#everyMs = watchdogMs === undefined ? QUIET_MS : watchdogMs / 2;
    void this.#run();
  }

  /** The node takes work; from now on `pulse` is asked before each ping. */
  ready(pulse: () => Pulse): Promise<void> {
    this.#phase = "running";
    this.#pulse = pulse;
    return this.#tell(["READY=1", `STATUS=${pulse().status}`]);
  }

  /** The node drains; pings go on. */
  stopping(): Promise<void> {
    this.#phase = "draining";
    return this.#tell(["STOPPING=1", "STATUS=draining"]);
  }

  /** Say nothing more. */
  end(): void {
    this.#end.abort();
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.#parts.clock.sleep(this.#everyMs, this.#end.signal);
      if (!this.#end.signal.aborted) await this.#tell(this.#beat());
    }
  }

  #beat(): string[] {
    const { stuck, status } = this.#pulse();
    const told = [`STATUS=${stuck === undefined ? status : `${stuck} hangs`}`];
    if (this.#phase === "starting") return [`EXTEND_TIMEOUT_USEC=${this.#everyMs * 3_000}`, ...told];
    return this.#watched && stuck === undefined ? ["WATCHDOG=1", ...told] : told;
  }

  async #tell(assignments: string[]): Promise<void> {
    const { events, send, socket } = this.#parts;
    try {
      await send(assignments, socket);
    } catch (error) {
      if (this.#complained) return;
      this.#complained = true;
      events.emit("warning", "systemd.silent", `Cannot tell systemd anything: ${(error as Error).message}`);
    }
  }
}

/** The line to systemd, where it started this process and wants to be told. */
export function systemd(parts: SystemdParts): Systemd | undefined {
  const { env = process.env, pid = process.pid, send = sendByChild } = parts;
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (!socket) return undefined;
  const ours = Number(microseconds) > 0 && (watched === undefined || Number(watched) === pid);
  return new Systemd({ ...parts, socket, send }, ours ? Number(microseconds) / 1_000 : undefined);
}

function sendByChild(assignments: string[], socket: string): Promise<void> {
  const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", NOTIFY_SOCKET: socket };
  return new Promise((resolve, reject) => {
    const child = spawn("systemd-notify", assignments, { env, stdio: "ignore", timeout: SEND_MS });
    child.once("error", reject);
    child.once(
      "exit",
      (code, signal) =>
        code === 0 ? resolve() : reject(new Error(`systemd-notify ended with ${code ?? signal}`)),
    );
  });
}
