/**
 * Runs one attempt inside the worker: resolve, check, invoke, and turn whatever happens into one report.
 *
 * @module
 */
import { errorLine, errorRecord } from "../errors.ts";
import { type Registry, UnknownTaskError } from "../registry.ts";
import { ArgumentsError, checkArgs, type TaskDefinition } from "../task.ts";
import { isSeconds, verdictOf } from "../verdicts.ts";
import type { Hooks, HookTask } from "./hooks.ts";
import type { Own } from "./bound_context.ts";
import type { AbortReason, AskWhat, Done, Job, LogLevel, WorkerEnv } from "./protocol.ts";

// What not every worker needs, loaded by the first job that does. To import it again costs as much as a small task.
const content = lazily(() => import("./content.ts"));
const boundContext = lazily(() => import("./bound_context.ts"));

type ContentSettings = Pick<WorkerEnv, "maxResultBytes" | "encrypts">;

/** What the executor may say while a task runs. */
export interface ExecutorEvents {
  timeout(uuid: string, seconds: number): void;
  preemptible(task: string): void;
  policy(task: string, policy: { maxAttempts?: number; backoff?: unknown }): void;
  progress(uuid: string, text: string): void;
  /** Ask the dispatcher; rejects with its error. */
  ask(uuid: string, what: AskWhat, payload: unknown): Promise<unknown>;
  log(uuid: string, level: LogLevel, message: string): void;
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
  Preempted: "The task gives way to something more urgent",
};

/** Executes jobs, one at a time. */
export class Executor {
  readonly #registry: Registry;
  readonly #hooks: Hooks;
  readonly #events: ExecutorEvents;
  // Tasks whose policy was told.
  readonly #told = new Set<string>();
  readonly #content: ContentSettings;
  // The running job and its abort; written by run(), read by abort().
  #current: { uuid: string; controller: AbortController } | undefined;

  constructor(registry: Registry, hooks: Hooks, events: ExecutorEvents, content: ContentSettings = {}) {
    this.#content = content;
    this.#registry = registry;
    this.#hooks = hooks;
    this.#events = events;
  }

  /** Run a job to its end; never throws. */
  async run(job: Job): Promise<Executed> {
    const controller = new AbortController();
    const started = Date.now();
    const own: Own = { started, kept: (value) => this.#kept(value, job) };
    this.#current = { uuid: job.uuid, controller };
    let definition: TaskDefinition | undefined;
    const report = (ok: boolean, text: string, more?: Partial<Done>): Executed => ({
      done: {
        t: "done",
        uuid: job.uuid,
        ok,
        started,
        finished: Date.now(),
        heap: 0,
        keyless: own.keyless,
        ...more,
      },
      text,
    });
    try {
      definition = (await this.#registry.load(job.task)).definition;
      this.#tellPolicy(job.task, definition);
      const asks = resourcesOf(definition);
      if (asks !== undefined && job.options.resources === undefined) return report(false, "null", { asks });
      await this.#hooks.preTask?.(hookTask(job));
      const text = await this.#result(job, definition, controller.signal, own);
      await this.#after(job, true, controller.signal);
      return report(true, text);
    } catch (error) {
      const verdict = verdictOf(error);
      await this.#after(job, false, controller.signal, verdict?.do === "retry");
      const hopeless = error instanceof UnknownTaskError || error instanceof ArgumentsError ||
        error instanceof ResultError || undefined;
      const delay = await this.#backoff(job, definition, error);
      return report(false, JSON.stringify(errorRecord(error)), { hopeless, verdict, delay });
    } finally {
      this.#current = undefined;
    }
  }

  /** The JSON text of the result; what a transaction has completed has its own, and no error undoes it. */
  async #result(
    job: Job,
    definition: TaskDefinition,
    signal: AbortSignal,
    own: Own,
  ): Promise<string> {
    try {
      const value = await this.#invoke(job, definition, signal, own);
      return own.transaction?.committed ? "null" : await this.#kept(value, job);
    } catch (error) {
      if (!own.transaction?.committed) throw error;
      this.#events.log(job.uuid, "error", `Failed after its transaction was committed: ${errorLine(error)}`);
      return "null";
    }
  }

  /** A result as it is stored. What handles encryption is loaded by the first that needs it. */
  async #kept(value: unknown, job: Job): Promise<string> {
    const text = await resultText(value, job.task, this.#content.maxResultBytes);
    if (!this.#content.encrypts) return text;
    return await (await content()).encrypted(text, job);
  }

  async #opened(job: Job, own?: Own): Promise<Pick<Job, "args" | "kwargs">> {
    if (!isEncrypted(job.args[0]) && !isEncrypted(job.kwargs)) return job;
    return await (await content()).opened(job, () => own && (own.keyless = true));
  }

  /** Abort the running job, if it is this one. */
  abort(uuid: string, reason: AbortReason): void {
    if (this.#current?.uuid === uuid) this.#current.controller.abort(new Aborted(reason));
  }

  /** Told before it runs, since whoever is killed cannot tell; a function stays here. */
  #tellPolicy(task: string, { options: { maxAttempts, backoff, preemptible } }: TaskDefinition): void {
    if (this.#told.has(task)) return;
    this.#told.add(task);
    if (preemptible) this.#events.preemptible(task);
    if (maxAttempts === undefined && backoff === undefined) return;
    const data = typeof backoff === "function" ? undefined : backoff;
    this.#events.policy(task, { maxAttempts, backoff: data });
  }

  /** What the task's own function says; of one that says nothing sensible, the node's backoff takes the place. */
  async #backoff(job: Job, task: TaskDefinition | undefined, error: unknown): Promise<number | undefined> {
    const backoff = task?.options.backoff;
    if (typeof backoff !== "function") return undefined;
    let seconds: number | undefined;
    await this.#guarded(job, "Function backoff", async () => {
      const given = await backoff(job.attempt, error);
      if (!isSeconds(given)) throw new TypeError(`it gave ${given}, not seconds from 0`);
      seconds = given;
    });
    return seconds;
  }

  /** The calls that follow, and the hook, whose errors are said and change nothing. */
  async #after(job: Job, ok: boolean, signal: AbortSignal, again = false): Promise<void> {
    const follow = (ok ? job.options.callbacks : again ? [] : job.options.errbacks) ?? [];
    for (const { task, args = [], kwargs = {} } of follow) {
      await this.#guarded(job, `${ok ? "Callback" : "Errback"} ${task}`, async () => {
        const { definition } = await this.#registry.load(task);
        await this.#invoke({ ...job, task, args, kwargs, timed: true }, definition, signal);
      });
    }
    await this.#guarded(job, "Hook postTask", () => this.#hooks.postTask?.({ ...hookTask(job), ok }));
  }

  async #guarded(job: Job, what: string, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { name, message } = errorRecord(error);
      this.#events.log(job.uuid, "error", `${what} failed: ${name}: ${message}`);
    }
  }

  async #invoke(
    job: Job,
    { invoke, options }: TaskDefinition,
    signal: AbortSignal,
    own?: Own,
  ): Promise<unknown> {
    const call = await this.#opened(job, own);
    const args = options.args ? await checkArgs(options.args, call.args, job.task) : [...call.args];
    if (Object.keys(call.kwargs).length > 0) args.push(call.kwargs);
    if (options.timeout !== undefined && !job.timed) this.#events.timeout(job.uuid, options.timeout);
    // A message may ask for it too, as dispatcherd's publishers do.
    const bound = options.bind || job.options.bind ? await boundContext() : undefined;
    // Aborted while its module was loaded: a listener that it adds now would hear nothing. What follows it runs.
    if (own) signal.throwIfAborted();
    if (!bound) return await invoke(...args);
    return await invoke(bound.contextOf(job, signal, this.#events, own), ...args);
  }
}

/** What a task asks for besides its code, undefined when that is nothing; whether it makes sense the node checks. */
function resourcesOf({ options: { resources } }: TaskDefinition): unknown {
  // Most ask for nothing, and this is asked before every attempt.
  if (resources === undefined) return undefined;
  return Object.values(resources).some((amount) => amount !== 0) ? resources : undefined;
}

function hookTask({ uuid, origin, task, attempt }: Job): HookTask {
  return { uuid: origin ?? uuid, task, attempt };
}

function lazily<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => loaded ??= load();
}

function isEncrypted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "$enc" in value;
}

/** What the task returned is not JSON, or too much; it has run, so it is not tried again. */
class ResultError extends Error {
  override name = "ResultError";
}

/** Results are written as JSON writes them (a Date as its ISO string), but what it cannot write is an error. */
async function resultText(value: unknown, task: string, most = Infinity): Promise<string> {
  const text = await jsonText(value, task);
  const bytes = text.length * 3 <= most ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= most) return text;
  const fault = `it has ${bytes} bytes, at most ${most} are allowed (max_result_bytes)`;
  throw new ResultError(`Cannot keep the result of "${task}": ${fault}`);
}

async function jsonText(value: unknown, task: string): Promise<string> {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    // Knows where the fault is; every worker loads this file.
    const { encodeJson } = await import("../json.ts");
    try {
      return encodeJson(value, "result");
    } catch (error) {
      throw new ResultError(`Cannot keep the result of "${task}": ${(error as Error).message}`);
    }
  }
}
