/**
 * How the dispatcher writes orders and reads reports; the other side, which every worker loads, is in `worker_texts.ts`.
 *
 * @module
 */
import type { Done, Job, Report } from "./protocol.ts";
import { BETWEEN, COMPLETED, PART } from "./worker_texts.ts";

/** Names that cannot be taken for anything else; of others, which are of no task, the JSON text travels. */
const PLAIN_NAME = /^[\w./#-]+$/;

/** A job whose arguments and options are the JSON texts that the database gave. */
export type JobText = Omit<Job, "args" | "kwargs" | "options" | "worker"> & {
  args: string;
  kwargs: string;
  options: string;
};

/** An order to run one job. Not an object of JSON: both ends would read and write each part's name every time. */
export function writeRun({ uuid, origin, attempt, timed, task, args, kwargs, options }: JobText): string {
  const name = PLAIN_NAME.test(task) ? task : JSON.stringify(task);
  const ids = uuid + PART + (origin ?? "") + PART + attempt + PART + (timed ? "1" : "0");
  return ids + PART + name + PART + args + PART + kwargs + PART + options;
}

/** Put an order behind others, or behind the name of their worker, which begins each text. */
export function joinRun(before: string, order: string): string {
  return before + BETWEEN + order;
}

/** Whether a text of a worker's tells of the end of an attempt. */
export function isDone(said: string): boolean {
  return said[0] === COMPLETED || said.startsWith('{"t":"done"');
}

function readCompletion(header: string): Done | undefined {
  const parts = header.split(PART);
  const started = Number(parts[1]), finished = started + Number(parts[2]) / 1_000, heap = Number(parts[3]);
  if (!Number.isFinite(finished + heap)) return undefined;
  return { t: "done", uuid: parts[0].slice(COMPLETED.length), ok: true, started, finished, heap };
}

/** The reports of a text: several, if it begins with what stands between them. A large one is not searched for it. */
export function splitReports(text: string): string[] {
  return text[0] === BETWEEN ? text.slice(1).split(BETWEEN) : [text];
}

/**
 * Take a report apart; the text stays as it is. Undefined for what the worker did not write: a task shares its
 * thread, and what it posts by itself must not reach the dispatcher as an error.
 */
export function readReport(message: unknown): { report: Report; text: string } | undefined {
  if (typeof message !== "string") return undefined;
  const cut = message.indexOf("\n");
  const header = cut < 0 ? message : message.slice(0, cut);
  const text = cut < 0 ? "null" : message.slice(cut + 1);
  if (message[0] === COMPLETED) {
    const report = readCompletion(header);
    return report && { report, text };
  }
  try {
    const report = JSON.parse(header);
    if (typeof report?.t === "string") return { report, text };
  } catch {
    // Not ours.
  }
}
