/**
 * What the dispatcher, a worker host and a worker say to each other.
 *
 * ```text
 *  dispatcher ──HostCommand[]──► host ──text──► worker (a thread)
 *  dispatcher ◄──HostReport[]─── host ◄──text── worker
 * ```
 * The texts are opaque to the host: it only carries them. Between dispatcher and host several travel in one
 * IPC message; the arguments inside are the JSON text that the database gave, never parsed on the way.
 *
 * How they are written stands in `worker_texts.ts` and `pool_texts.ts`; here are their shapes, of which a thread loads
 * nothing.
 *
 * @module
 */
import type { EnvelopeExtras } from "../envelope.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Verdict } from "../verdicts.ts";

/** Dispatcher to host. */
export type HostCommand =
  | ["open", slot: number]
  | ["post", slot: number, text: string]
  /** Run these, so many; behind what was sent before, when that has not ended. The host does not look into the text. */
  | ["run", slot: number, text: string, count: number]
  /** Give back what has not begun. */
  | ["recall", slot: number]
  /** Stop a thread; it has `patience` milliseconds to close by itself. */
  | ["kill", slot: number, patience: number]
  /** Give a sign of life: its memory. */
  | ["ping"]
  | ["exit"];

/** Whether a command is to one slot. */
export function isOfSlot(command: HostCommand): command is Exclude<HostCommand, ["ping"] | ["exit"]> {
  return command.length > 1;
}

/**
 * How long a thread that must go may take to close by itself, in milliseconds: one that answers is not busy and will
 * really end, which Deno's own terminate() does not tell.
 */
export const KILL_MS = 200;

/** Host to dispatcher. */
export type HostReport =
  | ["said", slot: number, text: string]
  /** The thread ended by itself. */
  | ["ended", slot: number, reason: ErrorRecord]
  /** The answer to `kill`: whether the thread is known to be gone. */
  | ["killed", slot: number, gone: boolean]
  /** The answer to `recall`: how many of the last are forgotten. */
  | ["recalled", slot: number, count: number]
  | ["rss", bytes: number];

/** Dispatcher to worker, as JSON, one a text; what is to be run has a form of its own, see `pool_texts.ts`. */
export type Order =
  | { t: "abort"; uuid: string; reason: AbortReason }
  /** To an `ask`: the answer, or an ErrorRecord when not ok. */
  | { t: "answer"; id: number; ok: boolean; value: unknown }
  | { t: "close" };

/** One attempt to execute. */
export interface Job {
  uuid: string;
  /** The uuid the publisher knows: that of the broadcast, if it is a copy of one. */
  origin: string | null;
  attempt: number;
  task: string;
  worker: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
  options: EnvelopeExtras;
  /** True when the message itself has a timeout, which goes before the task's. */
  timed: boolean;
}

/** Why a running attempt is asked to end; the name of `signal.reason`. */
export type AbortReason = "TimeoutError" | "CancelledError" | "ShutdownError" | "Preempted";

/**
 * Worker to dispatcher: a header in JSON, then, behind a line feed, the JSON text that it is about. That of a completion,
 * which is most of them, is shorter, see `worker_texts.ts`.
 */
export type Report =
  | { t: "ready"; heap: number }
  /** The task has a timeout of its own, in seconds: the clock is set before it starts. */
  | { t: "timeout"; uuid: string; seconds: number }
  /** What a task says of its attempts; told once by each worker, before it first runs it. */
  | { t: "policy"; task: string; policy: { maxAttempts?: number; backoff?: unknown } }
  /** It may be stopped for something more urgent; told likewise. */
  | { t: "preemptible"; task: string }
  /** The text is the progress. */
  | { t: "progress"; uuid: string }
  /** The text is the result, or an ErrorRecord when `ok` is false. */
  | Done
  /** A bound task wants something of the dispatcher; the text is what, as JSON. */
  | { t: "ask"; id: number; uuid: string; what: AskWhat }
  /** A task or a hook has something to say, or has printed it; the text is it, as JSON. */
  | { t: "log"; uuid: string | null; level: LogLevel; printed?: true }
  /** The task tried to end the thread or the process. */
  | { t: "exit"; what: string }
  /** It could not start; the text is the ErrorRecord. */
  | { t: "broken" }
  | { t: "closed" };

/**
 * What a bound task can ask for: a control command of its node, an envelope to be published, or what its own
 * transaction needs (where, and under which fence); that one also tells when it is about to commit and when it has.
 */
export type AskWhat = "control" | "publish" | "transaction" | "settling" | "settled";
export type LogLevel = "debug" | "info" | "warning" | "error";

/** The end of an attempt, as the worker saw it. */
export interface Done {
  t: "done";
  uuid: string;
  ok: boolean;
  /** Milliseconds since 1970; the end with its fraction. */
  started: number;
  finished: number;
  heap: number;
  /** No further attempt would help: the task is unknown or the arguments do not fit. */
  hopeless?: boolean;
  /** The task decided for itself. */
  verdict?: Verdict;
  /** Seconds until the next attempt, as the task's own function says. */
  delay?: number;
  /** What it carries is encrypted with a key that is not here: it waits for a node that has it. */
  keyless?: boolean;
  /** It has not begun: the task needs resources, of which its message says nothing. */
  asks?: unknown;
}

/** What a worker must know before it runs anything. */
export interface WorkerEnv {
  root: string;
  prefixes: readonly string[];
  allow: readonly string[];
  /** File of the hooks module. */
  hooks?: string;
  /** Seconds of idleness after which onIdle is called. */
  idleSeconds: number;
  /** MB of heap that one thread may use, where the runtime can hold it to that. */
  workerMemoryMb: number;
  /** Bytes of JSON that a result may have; any number unless told. */
  maxResultBytes?: number;
  /** Lines and characters that an attempt may say or print; 0 lines: what it prints is nobody's. */
  outputLines?: number;
  outputCharacters?: number;
  /** Results are encrypted, with the keys of its environment. */
  encrypts?: boolean;
  /** MB of resident memory at which a host ends itself. */
  hostMemoryMb: number;
}
