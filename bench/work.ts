/**
 * The same with work to do: the four slots of a node are threads, and a peer's jobs share one.
 *
 * @module
 */
import { compareBacklogs } from "./backlog.ts";
import type { Question } from "./question.ts";
import { stepsPerMs } from "./works.ts";

export default {
  question: "tasks/s of one worker process, 1 ms of CPU time each",
  // As many steps for everybody as take a millisecond where this runs.
  run: (site) =>
    compareBacklogs(site, { task: "spin", arg: stepsPerMs(), count: site.quick ? 2_000 : 10_000 }),
} satisfies Question;
