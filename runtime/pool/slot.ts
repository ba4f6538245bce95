/**
 * A slot: the place of one worker, and the attempt that runs in it.
 *
 * ```text
 *  initialized ─► spawned ─► starting ─► ready ─┬─► stopping ─┬─► exited
 *                    │           │         │      └─► retired ──┘        (age, count, memory)
 *                    └───────────┴─────────┴──────────────► error        (died, or would not stop)
 * ```
 * `spawned` until its host is up, `starting` until the worker has loaded. `exited` and `error` are the last word: the
 * fleet still shows it for a while.
 *
 * @module
 */
import type { ErrorRecord } from "../errors.ts";
import type { Claimed } from "../store/store.ts";
import type { Resources } from "../resources.ts";
import type { RetryPolicy } from "../retry_policy.ts";
import type { Verdict } from "../verdicts.ts";
import type { HostProcess } from "./host_process.ts";
import type { AbortReason } from "./protocol.ts";

export type SlotState =
  | "initialized"
  | "spawned"
  | "starting"
  | "ready"
  | "stopping"
  | "exited"
  | "retired"
  | "error";

/** How an attempt ended, before the settler decides what becomes of the envelope. */
export interface Finished {
  claimed: Claimed;
  /** Host process and slot; null when it never reached one. */
  worker: string | null;
  outcome: "completed" | "failed" | "cancelled" | "released";
  /** JSON text: of the result when completed, else of an error; null for a release without a trace. */
  text: string | null;
  /** Milliseconds since 1970, the end with its fraction where a worker told it; null when it never started. */
  started: number | null;
  finished: number;
  /** JSON text of the last progress that was not written yet. */
  progress: string | null;
  /** No further attempt would help. */
  hopeless?: boolean;
  /** Attempts at most, and when again, as the task says. */
  policy?: RetryPolicy;
  /** The task decided for itself. */
  verdict?: Verdict;
  /** Seconds until the next attempt, as the task's own function says. */
  delay?: number;
  /** It may have killed its host: the next time it runs alone. */
  solo?: boolean;
  /** Seconds before which it must not run again, because its thread may still be busy. */
  notBefore?: number;
  /** It is encrypted with a key that this node does not have. */
  keyless?: boolean;
  /** Its own transaction has settled it. */
  settled?: boolean;
  /** It made way for something more urgent. */
  preempted?: boolean;
  /** It has not begun: its task asks for these. */
  asks?: Resources;
  /** The process in which its thread may still be busy. */
  lingers?: number;
  /** Its own transaction may have settled it. */
  doubtful?: boolean;
}

/** The attempt in a slot. All times are monotonic milliseconds but `started`. */
export interface Running {
  claimed: Claimed;
  started: number;
  since: number;
  /** When it overruns. */
  deadline: number | null;
  /** It was seen to take long, before its end. */
  late?: true;
  /** Why it was asked to end. */
  aborted: AbortReason | null;
  /** When it is killed, if it has not ended by then. */
  killAt: number | null;
  /** When the kill was sent, until the host answers. */
  killSentAt: number | null;
  progress: string | null;
}

/** Nothing should wait behind what has run for so many milliseconds. */
const LATE_MS = 20;

/** Whether a slot was told to end in order. */
export function isLeaving({ state }: Pick<Slot, "state">): boolean {
  return state === "stopping" || state === "retired";
}

const COUNTED: ReadonlySet<SlotState> = new Set(["initialized", "spawned", "starting", "ready"]);

/** The books of one slot; written by the pool alone. */
export class Slot {
  readonly id: number;
  readonly host: HostProcess;
  /** As `status` and the attempt's history name it. */
  readonly worker: string;
  /** Monotonic milliseconds. */
  readonly bornAt: number;
  state: SlotState = "initialized";
  running: Running | null = null;
  /** What the host will begin next by itself, in order. */
  ahead: Claimed[] = [];
  /** Whether the host was asked to give back what is ahead, and has not answered yet. */
  recalling = false;
  /** What ran in it was asked to end and could not say so any more; written by the endings. */
  killed = false;
  sent = 0;
  finished = 0;
  /** Bytes, after the last attempt. */
  heap = 0;
  idleSince: number;
  /** Written when it is stopped without an attempt in it; a host that does not answer is killed then. */
  stopSentAt: number | null = null;

  constructor(id: number, host: HostProcess, now: number) {
    this.id = id;
    this.host = host;
    this.worker = `${host.pid}.${id}`;
    this.bornAt = now;
    this.idleSince = now;
  }

  get free(): boolean {
    return this.running === null && this.inOrder && !this.recalling;
  }

  /** Whether its worker can be given something. */
  get inOrder(): boolean {
    return this.state === "ready" && !this.host.leaky && this.host.alive;
  }

  /** Whether what runs takes so long that nothing should wait behind it. */
  isLate(now: number): boolean {
    return this.running !== null && now - this.running.since > LATE_MS;
  }

  /** The task that runs has a timeout of its own. */
  hasTimeout(uuid: string, seconds: number): void {
    if (this.running?.claimed.uuid !== uuid) return;
    this.running.claimed.timeout = seconds;
    this.running.deadline = this.running.since + seconds * 1000;
  }

  /** Keep the last progress; false when it is of an attempt that is over. */
  keepProgress(uuid: string, text: string): boolean {
    if (this.running?.claimed.uuid !== uuid) return false;
    this.running.progress = text;
    return true;
  }

  /** Whether it counts towards the pool's size. */
  get counts(): boolean {
    return !this.host.solo && !this.host.leaky && COUNTED.has(this.state);
  }
}

/** The error of an attempt that was asked to end. */
export function abortError(reason: AbortReason, timeout: number | null): ErrorRecord {
  switch (reason) {
    case "TimeoutError":
      return {
        name: reason,
        message: timeout === null ? "Ran longer than its timeout" : `Ran longer than ${timeout} s`,
      };
    case "CancelledError":
      return { name: reason, message: "Cancelled" };
    case "ShutdownError":
      return { name: reason, message: "Interrupted by the shutdown of its node" };
    case "Preempted":
      return { name: reason, message: "Stopped for something more urgent" };
  }
}
