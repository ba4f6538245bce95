/**
 * Runs one attempt inside the worker: resolve, check, invoke, and turn whatever happens into one report.
 *
 * @module
 */
import { errorRecord } from "../errors.ts";
import { encodeJson } from "../json.ts";
import { type Registry, UnknownTaskError } from "../registry.ts";
import { ArgumentsError, checkArgs, type TaskContext, type TaskDefinition } from "../task.ts";
import type { AbortReason, Done, Job } from "./protocol.ts";

/** What the executor may say while a task runs. */
export interface ExecutorEvents {
  timeout(uuid: string, seconds: number): void;
  progress(uuid: string, text: string): void;
}

/** The verdict of the worker: the header, and the JSON text of the result or the error. */
export interface Executed {
  done: Done;
  text: string;
}

/** The error that `signal.reason` is. */
class Aborted extends Error {
  constructor(name: AbortReason) {
    super(MESSAGES[name]);
    this.name = name;
  }
}
const MESSAGES: Record<AbortReason, string> = {
  TimeoutError: "The task ran longer than its timeout",
  CancelledError: "The task was cancelled",
  ShutdownError: "The node is shutting down",
};

/** Executes jobs, one at a time. */
export class Executor {
  readonly #registry: Registry;
  readonly #events: ExecutorEvents;
  // The running job and its abort; written by run(), read by abort().
  #current: { uuid: string; controller: AbortController } | undefined;

  constructor(registry: Registry, events: ExecutorEvents) {
    this.#registry = registry;
    this.#events = events;
  }

  /** Run a job to its end; never throws. */
  async run(job: Job): Promise<Executed> {
    const controller = new AbortController();
    this.#current = { uuid: job.uuid, controller };
    const started = Date.now();
    let definition: TaskDefinition | undefined;
    const report = (ok: boolean, text: string, hopeless?: boolean): Executed => ({
      done: {
        t: "done",
        uuid: job.uuid,
        ok,
        started,
        finished: Date.now(),
        heap: 0,
        hopeless,
        maxAttempts: definition?.options.maxAttempts,
      },
      text,
    });
    try {
      definition = (await this.#registry.load(job.task)).definition;
      const value = await this.#invoke(job, definition, controller.signal);
      return report(true, resultText(value, job.task));
    } catch (error) {
      const hopeless = error instanceof UnknownTaskError || error instanceof ArgumentsError ||
        error instanceof ResultError;
      return report(false, JSON.stringify(errorRecord(error)), hopeless || undefined);
    } finally {
      this.#current = undefined;
    }
  }

  /** Abort the running job, if it is this one. */
  abort(uuid: string, reason: AbortReason): void {
    if (this.#current?.uuid === uuid) this.#current.controller.abort(new Aborted(reason));
  }

  async #invoke(job: Job, { invoke, options }: TaskDefinition, signal: AbortSignal): Promise<unknown> {
    const args = options.args ? await checkArgs(options.args, job.args, job.task) : [...job.args];
    if (Object.keys(job.kwargs).length > 0) args.push(job.kwargs);
    if (options.timeout !== undefined && !job.timed) this.#events.timeout(job.uuid, options.timeout);
    if (!options.bind) return await invoke(...args);
    const context: TaskContext = {
      uuid: job.origin ?? job.uuid,
      attempt: job.attempt,
      workerId: job.worker,
      signal,
      progress: (value) => this.#events.progress(job.uuid, encodeJson(value, "progress")),
    };
    return await invoke(context, ...args);
  }
}

/** What the task returned is not JSON; it has run, so it is not tried again. */
class ResultError extends Error {
  override name = "ResultError";
}

/** Results are written as JSON writes them (a Date as its ISO string), but what it cannot write is an error. */
function resultText(value: unknown, task: string): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    try {
      return encodeJson(value, "result");
    } catch (error) {
      throw new ResultError(`Cannot keep the result of "${task}": ${(error as Error).message}`);
    }
  }
}
