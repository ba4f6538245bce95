/**
 * How many tasks a second does one node run?
 *
 * @module
 */
import { compareBacklogs } from "./backlog.ts";
import type { Question } from "./question.ts";

export default {
  question: "no-op tasks/s of one worker process (ours: one node, 4 slots), with a backlog",
  run: (site) => compareBacklogs(site, { task: "noop", count: site.quick ? 10_000 : 50_000 }),
} satisfies Question;
