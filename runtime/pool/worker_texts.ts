/**
 * How a worker reads its orders and writes its reports; the other side is in `pool_texts.ts`. Every envelope passes here
 * twice, so what is plain has a form of its own, in parts that stand one behind the other; all else is JSON.
 *
 * @module
 */
import type { Done, Job, Report } from "./protocol.ts";

/** The environment variable in which the settings of a worker travel, as JSON. */
export const WORKER_ENV = "DISPATCHER_WORKER";

/** No JSON text has these raw: one stands between texts that travel together, one between the parts of each. */
export const BETWEEN = "\x1e";
export const PART = "\x1f";

// ---- orders to run

/** The worker's name and the orders of a text; undefined when it is some other order, in JSON. */
export function splitRuns(text: string): string[] | undefined {
  return text[0] === "{" ? undefined : text.split(BETWEEN);
}

/** Read an order to run something. Every job has objects of its own. */
export function readRun(order: string, worker: string): Job {
  const parts = order.split(PART);
  const task = parts[4], args = parts[5], kwargs = parts[6], options = parts[7];
  return {
    uuid: parts[0],
    origin: parts[1] === "" ? null : parts[1],
    attempt: Number(parts[2]),
    timed: parts[3] === "1",
    task: task[0] === '"' ? JSON.parse(task) : task,
    worker,
    // Most have none, and to parse nothing takes as long as to parse little.
    args: args === "[]" ? [] : JSON.parse(args),
    kwargs: kwargs === "{}" ? {} : JSON.parse(kwargs),
    options: options === "{}" ? {} : JSON.parse(options),
  };
}

// ---- reports

/** Put a report into text. */
export function writeReport(report: Report, text?: string): string {
  return text === undefined ? JSON.stringify(report) : `${JSON.stringify(report)}\n${text}`;
}

/** What begins a completion; no JSON does. */
export const COMPLETED = "+";

/** Put the end of an attempt into text that has completed; there is nothing else to tell of it. */
export function writeCompletion({ uuid, started, finished, heap }: Done, text: string): string {
  // In microseconds: as numbers of milliseconds most would have a tail of digits.
  return COMPLETED + uuid + PART + started + PART + Math.round((finished - started) * 1_000) + PART + heap +
    "\n" + text;
}
