/**
 * Following a job: its changes and what it says, until it has ended and nothing more comes, or whoever watches leaves.
 * It looks at the tables at a rest: the receiver writes there, on whatever machine.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DispatcherError } from "edge-dispatcher";
import { nextOutput } from "../jobs/model/job_events.ts";
import type { Db } from "../jobs/model/rows.ts";
import { isFinal, jobById, type UnifiedJob } from "../jobs/model/unified_job.ts";

const LOOK_MS = 300;
/** For the end of the events of a job that has ended: its receiver may be down. */
const PATIENCE_MS = 30_000;
/** What is random in a rest, so that many who follow do not look at once. */
const JITTER = 0.2;

export interface Follow {
  /** Hears of each look; of the end when all that was said has been heard. */
  looked?(job: UnifiedJob): Promise<void> | void;
  /**
   * Hears what the job says, piece by piece, each with the counter of its last event. Without it the end of the events is
   * not waited for.
   */
  said?(text: string, counter: number): Promise<void> | void;
  /** Ends it before the job does. */
  signal: AbortSignal;
  /** Seconds to follow at most. */
  within?: number;
}

/** How it was left: the job as it is then, and whether all that it said was seen. */
export interface Followed {
  job: UnifiedJob;
  left: boolean;
  complete: boolean;
}

/**
 * Follow a job to its end.
 *
 * @throws {DispatcherError} `timeout`, `not_found`.
 */
export async function follow(
  db: Db,
  jobId: number,
  { looked, said, signal, within }: Follow,
): Promise<Followed> {
  const began = performance.now();
  let ended: number | undefined;
  let after = 0;
  for (;;) {
    const job = await jobById(db, jobId);
    const final = isFinal(job.status);
    if (!final) await looked?.(job);
    if (final) ended ??= performance.now();
    const complete = final && (said === undefined || job.events_closed_at !== null);
    for (let piece; said && (piece = await nextOutput(db, jobId, { after, whole: complete }));) {
      await said(piece.stdout, piece.counter);
      after = piece.counter;
    }
    const patient = ended === undefined || performance.now() - ended < PATIENCE_MS;
    if (complete || !patient) {
      // Behind the last of what it said.
      await looked?.(job);
      return { job, left: false, complete };
    }
    if (signal.aborted) return { job, left: true, complete };
    if (within !== undefined && performance.now() - began > within * 1_000) {
      throw new DispatcherError("timeout", `Job ${jobId} is ${job.status} after ${within} s: it goes on`);
    }
    await sleep(LOOK_MS * (1 + JITTER * Math.random()), undefined, { signal }).catch(() => {});
  }
}

/** Whole lines of pieces that may end anywhere. */
export function byLine(write: (line: string) => void): { push(text: string): void; end(): void } {
  let rest = "";
  return {
    push(text) {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop()!;
      for (const line of lines) write(line);
    },
    end() {
      if (rest !== "") write(rest);
      rest = "";
    },
  };
}
