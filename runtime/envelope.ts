/**
 * The envelope: one message from a publisher to a task. This file says what a legal one is, and seals the call
 * of a publisher into the row that the store writes.
 *
 * @module
 */
import { z } from "zod";
import { DispatcherError } from "./errors.ts";
import { encodeJson } from "./json.ts";
import { resourcesSchema } from "./resources.ts";
import { TRACEPARENT } from "./traceparent.ts";
import { isUuid, uuid7 } from "./uuid.ts";

/** The queue whose envelopes go to every live node. */
export const BROADCAST_QUEUE = "broadcast";
/** The shared queue that every node consumes unless told otherwise. */
export const DEFAULT_QUEUE = "default";

const QUEUE_BYTES = 63;
const TASK_CHARS = 400;
// deno-lint-ignore no-control-regex
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/;

// A queue's name is a channel too; these carry hints and replies.
const RESERVED = /^dispatcher_(wake$|settled$|reply_|check_|hand_)/;

/** A queue's name: 1 to 63 bytes (it is also a NOTIFY channel), not blank, without control characters. */
export const queueName: z.ZodType<string> = z.string().superRefine((name, ctx) => {
  const wrong = queueNameFault(name);
  if (wrong) ctx.addIssue({ code: "custom", message: wrong });
});

function queueNameFault(name: string): string | undefined {
  if (name.trim() === "") return "the name is blank";
  if (CONTROL_CHARACTERS.test(name)) return "the name has a control character";
  if (RESERVED.test(name)) return "the name is one of the dispatcher's own channels";
  const bytes = new TextEncoder().encode(name).length;
  if (bytes > QUEUE_BYTES) return `the name has ${bytes} bytes, at most ${QUEUE_BYTES} are allowed`;
}

/** A channel for replies: a legal name, and none of those on which nodes hear each other. */
export const replyName: z.ZodType<string> = z.string().refine((name) => {
  return /^dispatcher_reply_/.test(name)
    ? new TextEncoder().encode(name).length <= QUEUE_BYTES
    : !queueNameFault(name);
}, "it is not the name of a channel");

/** Check a queue's name; the error names it. */
export function checkQueue(name: unknown): string {
  const wrong = typeof name === "string" ? queueNameFault(name) : `it is ${typeof name}, not a string`;
  if (wrong) {
    throw new DispatcherError("invalid_queue", `Cannot use ${JSON.stringify(name)} as a queue: ${wrong}`);
  }
  return name as string;
}

/** What to do when an equal envelope (task, args, kwargs) runs or waits already. */
export const ON_DUPLICATE = ["parallel", "discard", "serial", "queue_one"] as const;
export type OnDuplicate = (typeof ON_DUPLICATE)[number];

/** How a publisher wants one envelope delivered. */
export interface PublishOptions {
  /** Keyword arguments; the task gets them as a last argument, an object. */
  kwargs?: Record<string, unknown>;
  /** Queue: a shared one, a node's name, or `broadcast`. By default `default`. */
  queue?: string;
  /** Seconds after which a running attempt is aborted and then killed. */
  timeout?: number;
  /** Seconds to wait before it may run. */
  delay?: number;
  /** The time before which it may not run; an ISO string needs an offset or Z. */
  at?: Date | string;
  /** Smaller runs earlier; -32768 to 32767, by default 0. */
  priority?: number;
  /**
   * What it needs of its node while it runs, such as `{ cpu: 2, memoryMb: 512, gpu: 1 }`: it runs only where and when so
   * much is free. By default what the task says, else nothing.
   */
  resources?: Record<string, number>;
  /** It may be stopped for something more urgent, and runs again later; by default what the task says. */
  preemptible?: boolean;
  /** How often it may be tried, by default what the task says, else once. */
  maxAttempts?: number;
  /** The publisher's own id; publishing it twice changes nothing. */
  uuid?: string;
  /** What to do when an equal one (queue, task, args, kwargs) waits or runs, by default `parallel`. */
  onDuplicate?: OnDuplicate;
  /**
   * Send it over the broker instead of writing it: lowest latency, at most once, lost when nobody listens.
   */
  volatile?: boolean;
  /** Messages to run in the same worker after success, and after failure. */
  callbacks?: TaskMessage[];
  errbacks?: TaskMessage[];
  /** An id of the caller's that stays with the envelope. */
  guid?: string;
  /** The W3C traceparent of whoever publishes it; by default the active span's, where an SDK is registered. */
  traceparent?: string;
  /** How long a broadcast waits for nodes that are away, in seconds, by default an hour. */
  ttl?: number;
  /** Have the node say at once that it is settled, for those who wait. */
  watch?: boolean;
}

/** A hundred years. What PostgreSQL cannot add to its clock would fail every envelope that is written with it. */
export const LONGEST_SECONDS = 3_155_760_000;
// What an ISO string with four digits can say; PostgreSQL's own range begins later than that of Date.
const YEAR_1 = -62_135_596_800_000;
const YEAR_10000 = 253_402_300_800_000;

const time = z.union([z.date(), z.iso.datetime({ offset: true })]).refine((at) => {
  const ms = new Date(at).getTime();
  return ms >= YEAR_1 && ms < YEAR_10000;
}, "it is outside of the years 1 to 9999");

/** A call that follows another one, as it travels. */
export interface TaskMessage {
  task: string;
  args?: unknown[];
  kwargs?: Record<string, unknown>;
}

const taskMessage = z.looseObject({
  task: z.string().min(1),
  args: z.array(z.unknown()).optional(),
  kwargs: z.record(z.string(), z.unknown()).optional(),
});

const publishOptions = z.strictObject({
  kwargs: z.record(z.string(), z.unknown()).optional(),
  queue: queueName.optional(),
  timeout: z.number().positive().optional(),
  delay: z.number().nonnegative().max(LONGEST_SECONDS).optional(),
  at: time.optional(),
  priority: z.int().min(-32768).max(32767).optional(),
  resources: resourcesSchema.optional(),
  preemptible: z.boolean().optional(),
  maxAttempts: z.int().min(1).max(1000).optional(),
  uuid: z.string().refine(isUuid, "it is not a UUID").optional(),
  onDuplicate: z.enum(ON_DUPLICATE).optional(),
  volatile: z.boolean().optional(),
  callbacks: z.array(taskMessage).optional(),
  errbacks: z.array(taskMessage).optional(),
  guid: z.string().optional(),
  traceparent: z.string().regex(TRACEPARENT, "it is not a W3C traceparent").optional(),
  ttl: z.number().positive().max(LONGEST_SECONDS).optional(),
  watch: z.boolean().optional(),
});

/** What else a message asks for, kept with it as JSON: everything that has no column of its own. */
export interface EnvelopeExtras {
  on_duplicate?: OnDuplicate;
  guid?: string;
  traceparent?: string;
  /** Milliseconds since 1970 at which it is due, where its uuid does not tell. */
  due?: number;
  watch?: boolean;
  resources?: Record<string, number>;
  preemptible?: boolean;
  bind?: boolean;
  callbacks?: TaskMessage[];
  errbacks?: TaskMessage[];
  [field: string]: unknown;
}

/** An envelope ready to be written: checked, encoded, with its uuid. */
export interface Sealed {
  uuid: string;
  /** True when the publisher chose the uuid: only then can it be known already. */
  ownUuid: boolean;
  /** True when it has a rule for duplicates. */
  unique: boolean;
  queue: string;
  task: string;
  /** JSON text of an array. */
  args: string;
  /** JSON text of an object. */
  kwargs: string;
  /** JSON text of {@link EnvelopeExtras}. */
  options: string;
  priority: number;
  maxAttempts: number | null;
  timeout: number | null;
  /** Seconds from now until it is due. */
  delay: number | null;
  /** Seconds since 1970 at which it is due. */
  at: number | null;
  /** Seconds since 1970 by the publisher's clock. */
  timePub: number;
  /** Seconds that a broadcast waits for nodes that are away. */
  ttl: number | null;
}

/**
 * Check a call and seal it into an envelope.
 *
 * @throws {DispatcherError} `invalid_task`, `invalid_args`, `invalid_queue` or `invalid_envelope`, naming the value.
 *
 * @example
 * ```ts
 * const sealed = seal("examples/add", [1, 1], { queue: "default" });
 * sealed.args; // "[1,1]"
 * ```
 */
export function seal(task: unknown, args: unknown, given: PublishOptions = {}, now = Date.now()): Sealed {
  const name = checkTaskText(task);
  const where = `Cannot publish ${JSON.stringify(name)}`;
  if (given.queue !== undefined) checkQueue(given.queue);
  const o = isPlain(given) ? given : checkOptions(given, where);
  if (!Array.isArray(args)) {
    throw new DispatcherError("invalid_args", `${where}: args is ${kindOf(args)}, not an array`);
  }
  return {
    uuid: o.uuid?.toLowerCase() ?? uuid7(now),
    ownUuid: o.uuid !== undefined,
    unique: o.onDuplicate !== undefined && o.onDuplicate !== "parallel",
    queue: o.queue ?? DEFAULT_QUEUE,
    task: name,
    args: encode(args, "args", where),
    kwargs: encode(o.kwargs ?? {}, "kwargs", where),
    options: encode(extras(o, now), "options", where),
    priority: o.priority ?? 0,
    maxAttempts: o.maxAttempts ?? null,
    timeout: o.timeout ?? null,
    delay: o.delay ?? null,
    at: o.at === undefined ? null : new Date(o.at).getTime() / 1000,
    timePub: now / 1000,
    ttl: o.ttl ?? null,
  };
}

/** Whether nothing is asked for but to be told, as mostly: to check that costs half of the sealing. */
function isPlain(given: PublishOptions): boolean {
  for (const key in given) if (key !== "watch") return false;
  return typeof given.watch === "boolean";
}

function checkOptions(given: PublishOptions, where: string): PublishOptions {
  const parsed = publishOptions.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new DispatcherError("invalid_envelope", `${where}: ${issueText(parsed.error, given)}`);
}

function extras(o: PublishOptions, now: number): EnvelopeExtras {
  const kept: EnvelopeExtras = {};
  if (o.onDuplicate !== undefined) kept.on_duplicate = o.onDuplicate;
  if (o.callbacks !== undefined) kept.callbacks = o.callbacks;
  if (o.errbacks !== undefined) kept.errbacks = o.errbacks;
  if (o.guid !== undefined) kept.guid = o.guid;
  if (o.traceparent !== undefined) kept.traceparent = o.traceparent;
  const due = dueAt(o, now);
  if (due !== undefined) kept.due = due;
  if (o.watch) kept.watch = true;
  if (o.resources !== undefined) kept.resources = o.resources;
  if (o.preemptible !== undefined) kept.preemptible = o.preemptible;
  return kept;
}

/** A uuid of ours has the time of publishing in it, which serves for all that is due at once. */
function dueAt({ at, delay, uuid }: PublishOptions, now: number): number | undefined {
  const time = at === undefined ? now + (delay ?? 0) * 1000 : Math.max(now, new Date(at).getTime());
  return time > now || uuid !== undefined ? Math.round(time) : undefined;
}

/** Check that a task's name is a text of a sane length; whether it exists is the registry's business. */
export function checkTaskText(task: unknown): string {
  if (typeof task !== "string" || task.trim() === "") {
    throw new DispatcherError(
      "invalid_task",
      `Cannot publish a task named ${JSON.stringify(task)}: the name is blank`,
    );
  }
  if (task.length > TASK_CHARS || CONTROL_CHARACTERS.test(task)) {
    const shown = JSON.stringify(task.slice(0, 80));
    throw new DispatcherError(
      "invalid_task",
      `Cannot publish a task named ${shown}: the name is too long or has control characters`,
    );
  }
  return task;
}

function encode(value: unknown, what: string, where: string): string {
  try {
    return encodeJson(value, what);
  } catch (error) {
    if (!(error instanceof DispatcherError)) throw error;
    throw new DispatcherError(error.code, `${where}: ${error.message}`);
  }
}

/** The first issue of a zod error, with the path and the value it is about. */
export function issueText(error: z.ZodError, input: unknown): string {
  const issue = error.issues[0];
  const path = issue.path.join(".");
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], input);
  const shown = value === undefined || typeof value === "object" ? "" : ` ${JSON.stringify(value)}`;
  return path ? `${path}${shown}: ${lowerFirst(issue.message)}` : lowerFirst(issue.message);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}
