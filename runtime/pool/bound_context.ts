/**
 * What a bound task gets as its first argument; loaded by the first of them.
 *
 * @module
 */
import process from "node:process";
import { encodeJson } from "../json.ts";
import type { TaskContext } from "../task.ts";
import type { AttemptTransaction } from "./attempt_transaction.ts";
import type { AskWhat, Job, LogLevel } from "./protocol.ts";

/** Read once: to read the environment costs as much as a small task on some engines. */
const NODE = process.env.DISPATCHER_NODE ?? "";

/** An attempt, as against the calls that follow it. */
export interface Own {
  started: number;
  transaction?: AttemptTransaction;
  /** JSON text of the last progress; it may be on its way to the table when a transaction settles. */
  progress?: string;
  /** The JSON text of its result, as it is stored. */
  kept(value: unknown): Promise<string>;
}

/** What a task may say while it runs. */
export interface ContextEvents {
  progress(uuid: string, text: string): void;
  /** Ask the dispatcher; rejects with its error. */
  ask(uuid: string, what: AskWhat, payload: unknown): Promise<unknown>;
  log(uuid: string, level: LogLevel, message: string): void;
}

/** Make the context of a call; one that follows another has no attempt of its own. */
export function contextOf(job: Job, signal: AbortSignal, events: ContextEvents, own?: Own): TaskContext {
  const { uuid } = job;
  return {
    uuid: job.origin ?? uuid,
    attempt: job.attempt,
    workerId: job.worker,
    node: NODE,
    traceparent: job.options.traceparent,
    signal,
    progress: (value) => {
      const text = encodeJson(value, "progress");
      if (own) own.progress = text;
      events.progress(uuid, text);
    },
    log: (message, level = "info") => events.log(uuid, level, String(message)),
    control: async (command, data = {}) =>
      await events.ask(uuid, "control", { command, data }) as Record<string, unknown>,
    publish: async (task, args = [], options = {}) => {
      encodeJson([args, options.kwargs ?? {}], "args");
      return await events.ask(uuid, "publish", { task, args, options }) as Awaited<
        ReturnType<TaskContext["publish"]>
      >;
    },
    transaction: async (work) => {
      if (!own) throw new Error("Cannot complete an attempt: a callback has none of its own");
      const { AttemptTransaction }: typeof import("./attempt_transaction.ts") = await import(
        "./attempt_transaction.ts" as string
      );
      own.transaction ??= new AttemptTransaction(job, own, signal, events.ask);
      return await own.transaction.run(work);
    },
    database: async () =>
      (await import("./task_database.ts" as string) as typeof import("./task_database.ts")).taskDatabase(),
  };
}
