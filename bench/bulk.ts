/**
 * The same with much to carry.
 *
 * @module
 */
import { compareBacklogs } from "./backlog.ts";
import type { Question } from "./question.ts";

export default {
  question: "no-op tasks/s of one worker process, 10 kB of arguments each that do not compress",
  run: (site) => compareBacklogs(site, { task: "noop", bytes: 10_000, count: site.quick ? 2_000 : 10_000 }),
} satisfies Question;
