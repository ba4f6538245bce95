/**
 * Runs a program of a job so that all it prints becomes events of the job.
 *
 * @module
 */
import type { Draft } from "./events.ts";
import { Output } from "./output.ts";
import type { Outcome, Run } from "./perform.ts";
import { type Exit, type Program, run } from "./program.ts";

/** How long a line without its end may be kept back. */
const FLUSH_MS = 500;

/** How what is printed is told. */
export interface Telling {
  /** Begins the frames of our callback of ansible's. */
  mark?: string;
  /** Sees each event before it is told. */
  heard?(draft: Draft): void;
}

/** Run a program to its end; see `run()` for what it throws. */
export async function runTold(job: Run, program: Program, { mark, heard }: Telling = {}): Promise<Exit> {
  const output = new Output(job.redactor, mark);
  const tell = async (drafts: Draft[]) => {
    if (heard) drafts.forEach(heard);
    await job.tell(drafts);
  };
  const { guard, signal, deadline } = job;
  // What the sink says of a flush, it says of the next text as well.
  const flush = () => void tell(output.flush()).catch(() => {});
  let timer: ReturnType<typeof setTimeout> | undefined;
  const push = (text: string) => {
    clearTimeout(timer);
    timer = setTimeout(flush, FLUSH_MS);
    return tell(output.push(text));
  };
  try {
    return await run(program, { guard, signal, deadline, output: push });
  } finally {
    clearTimeout(timer);
    const rest = tell(output.end());
    if (signal.aborted) rest.catch(() => {});
    else await rest;
  }
}

/** Run a program for what it prints, which is not told. */
export async function runQuietly(job: Run, program: Program): Promise<Exit & { text: string }> {
  let text = "";
  const { guard, signal, deadline } = job;
  const exit = await run(program, { guard, signal, deadline, output: (more) => void (text += more) });
  return { ...exit, text };
}

/** What an exit means for the job. */
export function outcomeOf({ code, late }: Exit, program: string, job: Run): Outcome {
  if (late) {
    const seconds = job.job.timeout || job.settings.DEFAULT_JOB_TIMEOUT;
    return { status: "failed", exitCode: code, explanation: `Ran longer than its timeout of ${seconds} s` };
  }
  if (code === 0) return { status: "successful", exitCode: 0 };
  return { status: "failed", exitCode: code, explanation: `${program} ended with code ${code}` };
}
