/**
 * A worker host as the dispatcher sees it: the child process, its channel, and how it died.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { ErrorRecord } from "../errors.ts";
import type { Confinement, Platform } from "../platform/platform.ts";
import { type HostCommand, type HostReport, isOfSlot, type WorkerEnv } from "./protocol.ts";
import { Silence, type Step } from "./silence.ts";
import { joinRun } from "./pool_texts.ts";
import { WORKER_ENV } from "./worker_texts.ts";

const HOST = new URL("./host.ts", import.meta.url);

const MB = 1024 * 1024;
/**
 * From so many characters on an order travels alone: of 10 kB each, 16 in one text cost the host 97 us an order, alone
 * 59 (a text of many is a large object to the engine, made and thrown away in the host and in the thread).
 */
const ALONE_CHARS = 4_000;
/** And no text grows beyond this. */
const TEXT_CHARS = 64_000;

type RunCommand = Extract<HostCommand, ["run", ...unknown[]]>;

/** What a host tells the pool. */
export interface HostEvents {
  report(host: HostProcess, report: HostReport): void;
  died(host: HostProcess, how: string): void;
  /** Output of tasks, by line. */
  output(line: string): void;
}

/** What every host of a pool gets. */
export interface HostSettings extends WorkerEnv {
  /** Variables for the tasks, such as the database's address. */
  environment: Record<string, string>;
  /** What tasks may do, where the runtime can hold them to that. */
  confine?: Confinement;
}

/** Who goes into a host. */
export interface HostSize {
  solo: boolean;
  room: number;
}

/** One child process of slots. */
export class HostProcess {
  readonly #child: ChildProcess;
  #outbox: HostCommand[] = [];
  // By slot, the last command in the outbox while that is one to run something, and has room.
  readonly #runs = new Map<number, RunCommand>();
  /** False from the moment it is known to be gone. */
  alive = true;
  /** A thread in it does not stop: it gets no new work and ends as soon as its other slots are free. */
  leaky = false;
  /** Whether it is up: written by the fleet with its first report. */
  answered = false;
  /** Resident memory in bytes, as it last said. */
  rss = 0;
  /** How long it has given no sign. */
  readonly silence: Silence = new Silence();
  readonly #gone: (how: string) => void;
  // Why it is killed, when that tells more than the signal.
  #why: string | undefined;
  /** Why the pool killed it; then nobody needs to be suspected. */
  condemned: ErrorRecord | undefined;
  /** Runs one suspect alone. */
  readonly solo: boolean;
  /** Slots that it takes. */
  readonly room: number;

  constructor(platform: Platform, settings: HostSettings, size: HostSize, events: HostEvents) {
    this.solo = size.solo;
    this.room = size.room;
    const { environment, confine, ...worker } = settings;
    const { file, args, env } = platform.command(HOST, { memoryMb: settings.workerMemoryMb, confine });
    this.#child = spawn(file, args, {
      // The channel is apart from the tasks' own output.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // As JSON, texts that are JSON themselves would be quoted on the way.
      serialization: "advanced",
      env: { ...process.env, ...env, ...environment, [WORKER_ENV]: JSON.stringify(worker) },
    });
    this.#child.on("message", (batch: HostReport[]) => {
      this.silence.heard();
      for (const report of batch) events.report(this, report);
    });
    const gone = this.#gone = (how: string) => {
      if (!this.alive) return;
      this.alive = false;
      const full = this.rss > settings.hostMemoryMb * MB;
      events.died(this, full ? `used more than ${settings.hostMemoryMb} MB` : how);
    };
    this.#child.on("error", (error) => gone(`could not start: ${error.message}`));
    this.#child.on(
      "exit",
      (code, signal) => gone(this.#why ?? platform.deathNote(signal) ?? deathText(code, signal)),
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) readLines(stream!, events.output);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Send a command; those of one turn of the event loop travel together, in their order. */
  send(command: HostCommand): void {
    if (isOfSlot(command)) this.#runs.delete(command[1]);
    this.#put(command);
  }

  /** Have a slot run something; what it gets in one turn of the event loop is one text, and no work to the host. */
  run(slot: number, worker: string, order: string): void {
    const last = this.#runs.get(slot);
    const isSmall = order.length <= ALONE_CHARS;
    if (last && isSmall && last[2].length < TEXT_CHARS) {
      last[2] = joinRun(last[2], order);
      last[3]++;
      return;
    }
    const command: RunCommand = ["run", slot, joinRun(worker, order), 1];
    if (isSmall) this.#runs.set(slot, command);
    else this.#runs.delete(slot);
    this.#put(command);
  }

  #put(command: HostCommand): void {
    if (this.#outbox.push(command) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const batch = this.#outbox;
    this.#outbox = [];
    this.#runs.clear();
    // A host that died meanwhile is reported by its exit; the error of this write says nothing new.
    if (this.alive && this.#child.connected) this.#child.send(batch, () => {});
  }

  /** It has given no sign for long, and is asked for one, killed, or counted as gone when not even that is heard of. */
  isSilent(step: Step): void {
    if (step === "ask") this.send(["ping"]);
    else if (step === "kill") {
      this.#why = "gave no sign of life and was killed";
      this.kill();
    } else this.#gone("gave no sign of life, and its end was not heard of");
  }

  /** End the process at once, whatever its threads do. */
  kill(because?: ErrorRecord): void {
    this.condemned ??= because;
    if (this.alive) this.#child.kill("SIGKILL");
  }
}

function deathText(code: number | null, signal: string | null): string {
  return signal ? `was ended by ${signal}` : `ended with code ${code}`;
}

const LINE_LIMIT = 10_000;

function readLines(stream: NodeJS.ReadableStream, line: (text: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const text of lines) line(text);
    // A line without an end must not fill the memory.
    if (rest.length > LINE_LIMIT) {
      line(rest);
      rest = "";
    }
  });
  stream.on("end", () => rest && line(rest));
  stream.on("error", () => {});
}
