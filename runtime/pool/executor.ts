/**
 * Runs one attempt inside the worker: resolve, check, invoke, and turn whatever happens into one report.
 *
 * @module
 */
import type { TaskMessage } from "../envelope.ts";
import { errorLine, errorRecord } from "../errors.ts";
import { type Registry, UnknownTaskError } from "../registry.ts";
import { ArgumentsError, checkArgs, ResultError, type TaskDefinition } from "../task.ts";
import { isSeconds, verdictOf } from "../verdicts.ts";
import type { Hooks, HookTask } from "./hooks.ts";
import type { Own } from "./bound_context.ts";
import type { AbortReason, AskWhat, Done, Job, LogLevel, WorkerEnv } from "./protocol.ts";

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

/** An attempt as it runs, and what asks it to end. */
class Attempt {
  readonly job: Job;
  readonly started: number = Date.now();
  // The clock may be set meanwhile, and most tasks take less than it can tell.
  readonly #since = performance.now();
  /** Its arguments are encrypted with a key that is not here. */
  keyless: true | undefined;
  /** What its context knows, if it has one. */
  own: Own | undefined;
  #reason: Aborted | undefined;
  #controller: AbortController | undefined;

  constructor(job: Job) {
    this.job = job;
  }

  /** Made for whoever wants it: most tasks never do, and it takes as long as all else that is done for a small one. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(name: AbortReason): void {
    if (this.#reason) return;
    this.#reason = new Aborted(name);
    this.#controller?.abort(this.#reason);
  }

  throwIfAborted(): void {
    if (this.#reason) throw this.#reason;
  }

  /** Whether its own transaction has completed it, whatever happens from then on. */
  get committed(): boolean {
    return this.own?.transaction?.committed ?? false;
  }

  get #finished(): number {
    return this.started + (performance.now() - this.#since);
  }

  completed(text: string): Executed {
    const { job: { uuid }, started } = this;
    return { done: { t: "done", uuid, ok: true, started, finished: this.#finished, heap: 0 }, text };
  }

  failed(text: string, more: Partial<Done>): Executed {
    const { job: { uuid }, started, keyless } = this;
    const finished = this.#finished;
    return { done: { t: "done", uuid, ok: false, started, finished, heap: 0, keyless, ...more }, text };
  }
}

/**
 * Executes jobs, one at a time. What most of them need is done at once: a promise that is waited for without cause takes
 * longer than a small task.
 */
export class Executor {
  readonly #registry: Registry;
  readonly #hooks: Hooks;
  readonly #events: ExecutorEvents;
  // Tasks that were loaded, and whose policy was told.
  readonly #known = new Map<string, TaskDefinition>();
  readonly #content: ContentSettings;
  // What runs; written by run(), read by abort().
  #current: Attempt | undefined;
  // What not every worker needs, loaded by the first job that does.
  #boundContext: typeof import("./bound_context.ts") | undefined;

  constructor(registry: Registry, hooks: Hooks, events: ExecutorEvents, content: ContentSettings = {}) {
    this.#content = content;
    this.#registry = registry;
    this.#hooks = hooks;
    this.#events = events;
  }

  /** Run a job to its end; never throws. */
  async run(job: Job): Promise<Executed> {
    const attempt = this.#current = new Attempt(job);
    let task: TaskDefinition | undefined;
    try {
      task = this.#known.get(job.task) ?? await this.#load(job.task);
      const asks = resourcesOf(task);
      if (asks !== undefined && job.options.resources === undefined) return attempt.failed("null", { asks });
      if (this.#hooks.preTask) await this.#hooks.preTask(hookTask(job));
      let text = "null";
      try {
        const value = await this.#invoke(job, task, attempt, true);
        // A transaction has kept its own.
        if (!attempt.committed) {
          const kept = this.#kept(value, job);
          text = typeof kept === "string" ? kept : await kept;
        }
      } catch (error) {
        if (!attempt.committed) throw error;
        this.#events.log(
          job.uuid,
          "error",
          `Failed after its transaction was committed: ${errorLine(error)}`,
        );
      }
      const after = this.#after(attempt, true);
      if (after) await after;
      return attempt.completed(text);
    } catch (error) {
      return await this.#failed(attempt, task, error);
    } finally {
      this.#current = undefined;
    }
  }

  async #failed(attempt: Attempt, task: TaskDefinition | undefined, error: unknown): Promise<Executed> {
    const verdict = verdictOf(error);
    await this.#after(attempt, false, verdict?.do === "retry");
    const hopeless = error instanceof UnknownTaskError || error instanceof ArgumentsError ||
      error instanceof ResultError || undefined;
    const delay = await this.#backoff(attempt.job, task, error);
    return attempt.failed(JSON.stringify(errorRecord(error)), { hopeless, verdict, delay });
  }

  /** Load a task that is to run, and tell its policy. */
  async #load(name: string): Promise<TaskDefinition> {
    const { definition } = await this.#registry.load(name);
    this.#tellPolicy(name, definition);
    this.#known.set(name, definition);
    return definition;
  }

  /** A result as it is stored; at once if it can be. */
  #kept(value: unknown, job: Job): string | Promise<string> {
    const { encrypts, maxResultBytes = Infinity } = this.#content;
    const text = jsonText(value);
    const plain = text !== undefined && !encrypts && text.length * 3 <= maxResultBytes;
    return plain ? text : this.#keptWithCare(value, text, job);
  }

  async #keptWithCare(value: unknown, text: string | undefined, job: Job): Promise<string> {
    const { kept }: typeof import("./kept_result.ts") = await import("./kept_result.ts" as string);
    return await kept(value, text, job, this.#content);
  }

  /** Abort the running job, if it is this one. */
  abort(uuid: string, reason: AbortReason): void {
    if (this.#current?.job.uuid === uuid) this.#current.abort(reason);
  }

  /** Told before it runs, since whoever is killed cannot tell; a function stays here. */
  #tellPolicy(task: string, { options: { maxAttempts, backoff, preemptible } }: TaskDefinition): void {
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

  /** The calls that follow, and the hook, if there are any. */
  #after(attempt: Attempt, ok: boolean, again = false): Promise<void> | undefined {
    const { callbacks, errbacks } = attempt.job.options;
    const follow = (ok ? callbacks : again ? [] : errbacks) ?? [];
    if (follow.length === 0 && !this.#hooks.postTask) return undefined;
    return this.#follow(attempt, ok, follow);
  }

  /** Their errors are said and change nothing. */
  async #follow(attempt: Attempt, ok: boolean, follow: TaskMessage[]): Promise<void> {
    const { job } = attempt;
    for (const { task, args = [], kwargs = {} } of follow) {
      await this.#guarded(job, `${ok ? "Callback" : "Errback"} ${task}`, async () => {
        const { definition } = await this.#registry.load(task);
        await this.#invoke({ ...job, task, args, kwargs, timed: true }, definition, attempt, false);
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

  /** Call a task, at once if it can be: for an attempt, or, `own` being false, as what follows one. */
  #invoke(job: Job, task: TaskDefinition, attempt: Attempt, own: boolean): unknown {
    const { invoke, options } = task;
    const { args, kwargs } = job;
    // A message may ask for a context too, as dispatcherd's publishers do.
    const bind = options.bind || job.options.bind;
    if (bind || options.args || !Array.isArray(args) || isEncrypted(args[0]) || isEncrypted(kwargs)) {
      return this.#prepared(job, task, attempt, own);
    }
    this.#tellTimeout(job, task);
    if (own) attempt.throwIfAborted();
    return invoke(...withKwargs(args, kwargs));
  }

  async #prepared(job: Job, task: TaskDefinition, attempt: Attempt, own: boolean): Promise<unknown> {
    const { invoke, options } = task;
    const isOdd = !Array.isArray(job.args) || isEncrypted(job.args[0]) || isEncrypted(job.kwargs);
    const keyless = () => void (own && (attempt.keyless = true));
    const call = isOdd
      ? await (await import("./content.ts" as string) as typeof import("./content.ts")).opened(job, keyless)
      : job;
    const checked = options.args ? await checkArgs(options.args, call.args, job.task) : call.args;
    const args = withKwargs(checked, call.kwargs);
    this.#tellTimeout(job, task);
    const isBound = options.bind || job.options.bind;
    const bound = isBound
      ? this.#boundContext ??= await import(
        "./bound_context.ts" as string
      ) as typeof import("./bound_context.ts")
      : undefined;
    // Aborted while its module was loaded: a listener that it adds now would hear nothing. What follows it runs.
    if (own) attempt.throwIfAborted();
    if (!bound) return await invoke(...args);
    if (own) {
      attempt.own = { started: attempt.started, kept: async (value) => await this.#kept(value, job) };
    }
    const context = bound.contextOf(job, attempt.signal, this.#events, own ? attempt.own : undefined);
    return await invoke(context, ...args);
  }

  #tellTimeout(job: Job, { options: { timeout } }: TaskDefinition): void {
    if (timeout !== undefined && !job.timed) this.#events.timeout(job.uuid, timeout);
  }
}

function withKwargs(args: unknown[], kwargs: Record<string, unknown>): unknown[] {
  return Object.keys(kwargs).length === 0 ? args : [...args, kwargs];
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

function isEncrypted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "$enc" in value;
}

/** Results are written as JSON writes them (a Date as its ISO string); undefined when it cannot. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    return undefined;
  }
}
