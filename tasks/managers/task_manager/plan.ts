/**
 * What to do with each pending job, one after the other by turn. A function of what it is given: it knows neither a
 * database nor a clock.
 *
 * @module
 */
import { Blocking } from "./blocking.ts";
import { Capacity } from "./capacity.ts";
import { hasPlace, place } from "./placement.ts";
import { type Dependency, labelOf, type PendingJob, type World } from "./world.ts";

/** What is to become of a job. */
export type Verdict =
  | { do: "start"; job: PendingJob; node: string; group: number }
  | { do: "end"; job: PendingJob; status: "failed" | "canceled"; explanation: string }
  | { do: "wait"; job: PendingJob; explanation: string };

/** Bounds of one run. */
export interface Limits {
  /** Jobs to start at most. */
  starts: number;
  /** Seconds after which a job that is still pending fails; 0: never. */
  pendingTimeout: number;
  /** Whether nodes stop what is preemptible for what is more urgent. */
  preempts: boolean;
}

/** A plan in the making. */
export class Planner {
  readonly #limits: Limits;
  readonly #blocking: Blocking;
  readonly #capacity: Capacity;
  #started = 0;

  constructor(world: World, limits: Limits) {
    this.#limits = limits;
    this.#blocking = new Blocking(world.active);
    this.#capacity = new Capacity(world);
  }

  /** Whether it has started as many as it may. */
  get full(): boolean {
    return this.#started >= this.#limits.starts;
  }

  /** Decide about the next job by turn. */
  consider(job: PendingJob): Verdict {
    return this.#ended(job) ?? this.#dependent(job) ?? this.#placed(job);
  }

  #ended(job: PendingJob): Verdict | undefined {
    const { pendingTimeout } = this.#limits;
    if (job.cancel_flag) {
      return { do: "end", job, status: "canceled", explanation: "Canceled before it was started" };
    }
    if (pendingTimeout > 0 && job.waited > pendingTimeout) {
      const why = job.job_explanation === "" ? "" : `: ${job.job_explanation}`;
      const explanation = `Pending for more than ${pendingTimeout} s (TASK_MANAGER_PENDING_TIMEOUT)${why}`;
      return { do: "end", job, status: "failed", explanation };
    }
    const broken = job.dependencies.find(({ status }) => status !== "successful" && !isOpen(status));
    return broken && { do: "end", job, status: "failed", explanation: brokenText(broken) };
  }

  /** It keeps no place: what it waits for comes first, and may need the same. */
  #dependent(job: PendingJob): Verdict | undefined {
    const open = job.dependencies.filter(({ status }) => isOpen(status));
    if (open.length === 0) return undefined;
    return { do: "wait", job, explanation: `Waits for ${open.map(labelOf).join(", ")}` };
  }

  #placed(job: PendingJob): Verdict {
    const blocked = this.#blocking.why(job);
    const placement = blocked === undefined
      ? place(job, this.#capacity, this.#limits.preempts)
      : { why: blocked };
    if ("why" in placement) {
      if (hasPlace(job, this.#capacity)) this.#blocking.keep(job);
      return { do: "wait", job, explanation: placement.why };
    }
    const { node, group } = placement;
    this.#started++;
    this.#blocking.hold(job);
    this.#capacity.take(job, node, group);
    return { do: "start", job, node, group };
  }
}

function isOpen(status: Dependency["status"]): boolean {
  return status === "pending" || status === "waiting" || status === "running";
}

function brokenText(dependency: Dependency): string {
  const { id, status } = dependency;
  if (status === null) return `A previous task is gone: job ${id}`;
  return `A previous task ${ENDS[status] ?? `is ${status}`}: ${labelOf(dependency)}`;
}
const ENDS: Readonly<Record<string, string>> = {
  failed: "failed",
  error: "ended with an error",
  canceled: "was canceled",
};
