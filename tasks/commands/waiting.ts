/**
 * Having launched: print the job's number, or wait for its end and tell of its way there.
 *
 * @module
 */
import { type Context, EXIT, type Flags, secondsOf, untilInterrupted } from "edge-dispatcher/command";
import type { Db } from "../jobs/model/rows.ts";
import { listJobs, type UnifiedJob } from "../jobs/model/unified_job.ts";
import { byLine, follow, type Followed } from "./follow.ts";
import { COMMON } from "./kit.ts";

const WITHIN = 3_600;

/** Flags of all that launches. */
export const LAUNCH_FLAGS: Flags = {
  wait: { type: "boolean", help: "Wait for the end; exit 1 unless it is successful" },
  within: { type: "number", value: "S", help: `Seconds to wait at most, by default ${WITHIN}` },
  ...COMMON,
};

type Asked = Pick<Context, "io" | "flags">;

/** Whether to wait is asked for; checks `--within` before anything is launched. */
export function withinOf({ flags }: Pick<Context, "flags">): number {
  return secondsOf(flags, "within") ?? WITHIN;
}

/** Print the number of a job that was launched, or wait for it. */
export async function launched(asked: Asked, db: Db, job: UnifiedJob): Promise<number> {
  const { io, flags } = asked;
  if (!flags.wait) {
    io.out(flags.json ? JSON.stringify(job) : `${job.id}`);
    return EXIT.ok;
  }
  return await awaitEnd(asked, db, job, { numbered: true });
}

/** Wait for the end of a job: changes on stderr, what it says on a terminal. */
export async function awaitEnd(
  { io, flags }: Asked,
  db: Db,
  job: UnifiedJob,
  { numbered = false } = {},
): Promise<number> {
  // Before anything is printed: whoever sees the number may leave.
  const interrupted = untilInterrupted();
  // In a pipe the number is the result; on a terminal what the job says is.
  if (numbered && !io.tty && !flags.json) io.out(`${job.id}`);
  const lines = byLine((line) => io.out(line));
  const tell = changes(db, (line) => io.err(line));
  try {
    const followed = await follow(db, job.id, {
      looked: tell,
      said: io.tty && !flags.json && job.kind !== "workflow_job" ? lines.push : undefined,
      signal: interrupted.signal,
      within: withinOf({ flags }),
    });
    lines.end();
    return verdict({ io, flags }, followed);
  } finally {
    interrupted.off();
  }
}

function verdict({ io, flags }: Asked, { job, left, complete }: Followed): number {
  if (left) {
    io.err(`Job ${job.id} goes on: follow it with awx job stdout ${job.id} -f`);
    return EXIT.forced;
  }
  if (flags.json) io.out(JSON.stringify(job));
  if (!complete) io.err(`The end of what job ${job.id} said has not come`);
  if (job.status === "successful") return EXIT.ok;
  io.err(`Job ${job.id} ${failure(job)}`);
  return EXIT.failed;
}

function failure({ status, exit_code, job_explanation }: UnifiedJob): string {
  const said = status === "failed" || status === "canceled" ? status : "ended with an error";
  const code = exit_code === null ? "" : ` with exit code ${exit_code}`;
  return `${said}${code}${job_explanation === "" ? "" : `: ${job_explanation}`}`;
}

function detail({ status, execution_node, depends_on }: UnifiedJob): string {
  if (status === "running" && execution_node !== "") return ` on ${execution_node}`;
  return status === "pending" && depends_on.length > 0 ? `, after job ${depends_on.join(", ")}` : "";
}

/** Tell of each change of a job's status, and of those of the jobs in a workflow. */
function changes(db: Db, write: (line: string) => void): (job: UnifiedJob) => Promise<void> {
  const known = new Map<number, string>();
  const tell = (job: UnifiedJob, indent: string) => {
    const state = `${job.status}${detail(job)}`;
    if (known.get(job.id) === state) return;
    known.set(job.id, state);
    write(`${indent}job ${job.id} ${JSON.stringify(job.name)} ${state}`);
  };
  return async (job) => {
    if (job.kind === "workflow_job") {
      const inner = await listJobs(db, { workflowJobId: job.id, limit: 1_000 });
      for (const one of inner.reverse()) tell(one, "  ");
    }
    tell(job, "");
  };
}
