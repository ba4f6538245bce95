/**
 * `awx job stdout` and `awx job events`: what a job said, to its end or as it says it.
 *
 * @module
 */
import { type Command, type Context, EXIT, type Flags, untilInterrupted } from "edge-dispatcher/command";
import { type JobEvent, type JobEventFilter, listJobEvents, outputOf } from "../jobs/model/job_events.ts";
import type { Db } from "../jobs/model/rows.ts";
import { jobById } from "../jobs/model/unified_job.ts";
import { byLine, type Follow, follow } from "./follow.ts";
import { type Cells, COMMON, connected, jobIdOf, LIMIT, maxOf, moment, nameOf, writeRows } from "./kit.ts";

const FOLLOW: Flags = {
  follow: { type: "boolean", short: "f", help: "Go on until the job has ended; Ctrl-C leaves it running" },
};

export const jobStdout: Command = {
  summary: "Print what a job said; -f follows it",
  usage: "ID [-f]",
  words: true,
  flags: { ...FOLLOW, ...COMMON },
  async run(context) {
    const { io, flags } = context;
    const id = jobIdOf(nameOf(context, "print what a job said"));
    const { db } = await connected(context);
    await jobById(db, id);
    const lines = byLine((line) => io.out(flags.json ? JSON.stringify({ line }) : line));
    if (flags.follow) return await followed(context, db, id, lines.push).finally(lines.end);
    for await (const text of outputOf(db, id)) lines.push(text);
    lines.end();
  },
};

const CELLS: Cells<JobEvent> = [
  ["N", ({ counter }) => counter, true],
  ["TIME", ({ created }) => moment(created)],
  ["EVENT", ({ event }) => event],
  ["HOST", ({ host }) => host],
  ["RESULT", ({ failed, changed }) => failed ? "failed" : changed ? "changed" : "-"],
  ["TASK", ({ task, play }) => task || play],
];
const PAGE = 1_000;

export const jobEvents: Command = {
  summary: "List the events of a job; -f follows it",
  usage: "ID [-f]",
  words: true,
  flags: {
    ...FOLLOW,
    event: { type: "string", value: "E", help: "Only these, such as runner_on_failed" },
    host: { type: "string", value: "H", help: "Only of this host" },
    failed: { type: "boolean", help: "Only what failed" },
    after: { type: "number", value: "N", help: "With a higher counter than this" },
    ...LIMIT,
    ...COMMON,
  },
  async run(context) {
    const { flags } = context;
    const id = jobIdOf(nameOf(context, "list the events of a job"));
    const filter: JobEventFilter = {
      after: flags.after as number,
      event: flags.event as string,
      host: flags.host as string,
      failed: flags.failed ? true : undefined,
      limit: maxOf(context),
    };
    const { db } = await connected(context);
    await jobById(db, id);
    if (!flags.follow) return writeRows(context, CELLS, await listJobEvents(db, id, filter));
    return await followEvents(context, db, id, filter);
  },
};

/** Events are written in any order: those up to where there is no gap are shown, as what the job said is. */
async function followEvents(context: Context, db: Db, id: number, filter: JobEventFilter): Promise<number> {
  // No heading: they come line by line.
  const lines = { flags: context.flags, io: { ...context.io, tty: false } };
  let after = filter.after ?? 0;
  return await followed(context, db, id, async (_text, counter) => {
    for (;;) {
      const page = await listJobEvents(db, id, { ...filter, after, upTo: counter, limit: PAGE });
      writeRows(lines, CELLS, page);
      if (page.length < PAGE) break;
      after = page.at(-1)!.counter;
    }
    after = Math.max(after, counter);
  });
}

/** Follow a job; exit 0 at its end whatever became of it: what it said was asked for, not how it ended. */
async function followed(
  { io }: Context,
  db: Db,
  id: number,
  said: NonNullable<Follow["said"]>,
): Promise<number> {
  const interrupted = untilInterrupted();
  try {
    const { job, left, complete } = await follow(db, id, { said, signal: interrupted.signal });
    if (left) io.err(`Job ${id} is ${job.status} and goes on`);
    else if (!complete) io.err(`The end of what job ${id} said has not come`);
    else io.err(`Job ${id} ${job.status}`);
    return left ? EXIT.forced : EXIT.ok;
  } finally {
    interrupted.off();
  }
}
