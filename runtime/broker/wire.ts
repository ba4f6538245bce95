/**
 * The dispatcherd wire: what a payload on a queue's channel says.
 *
 * @module
 */
import { z } from "zod";
import { type EnvelopeExtras, LONGEST_SECONDS, ON_DUPLICATE, replyName, type Sealed } from "../envelope.ts";
import { DispatcherError } from "../errors.ts";
import { encodeJson } from "../json.ts";
import { MAX_BYTES, sizeFault } from "../packing.ts";
import { resourcesSchema } from "../resources.ts";
import { hashUuid, isUuid, timeOf, uuid7 } from "../uuid.ts";
import { CHUNK_KEY } from "./chunks.ts";

/** A payload, read. */
export type Wire =
  | { kind: "task"; envelope: Sealed; anonymous: boolean }
  | { kind: "control"; command: string; replyTo: string | null; data: Record<string, unknown> }
  | { kind: "chunk"; chunk: unknown }
  | { kind: "refused"; why: string };

// Python writes None where a field has no value.
const optional = <T extends z.ZodType>(schema: T) =>
  schema.nullish().transform((value) => value ?? undefined);

const taskMessage = z.looseObject({
  // What no column of type text can hold would fail all that is adopted with it; a line feed would forge lines of a log.
  // deno-lint-ignore no-control-regex
  task: z.string().min(1).max(1_000).regex(/^[^\u0000-\u001f\u007f]*$/, "it has a control character"),
  uuid: optional(z.string().min(1).max(1_000)),
  args: optional(z.array(z.unknown())),
  kwargs: optional(z.record(z.string(), z.unknown())),
  time_pub: optional(z.number()),
  timeout: optional(z.number().positive()),
  delay: optional(z.number().nonnegative().max(LONGEST_SECONDS)),
  priority: optional(z.int().min(-32768).max(32767)),
  on_duplicate: optional(z.enum(ON_DUPLICATE)),
  max_attempts: optional(z.int().min(1).max(1_000)),
  resources: optional(resourcesSchema),
  preemptible: optional(z.boolean()),
});

const controlMessage = z.looseObject({
  control: z.string(),
  reply_to: optional(replyName),
  control_data: optional(z.record(z.string(), z.unknown())),
});

/**
 * Read a payload that came on the channel of `queue`. Never throws: what cannot be read says why.
 *
 * @example
 * ```ts
 * const wire = readWire('{"task": "examples.add", "args": [1, 1]}', "default");
 * ```
 */
export function readWire(
  payload: string,
  queue: string,
  now: number = Date.now(),
  maxArgsBytes: number = MAX_BYTES,
): Wire {
  let message: unknown;
  try {
    message = JSON.parse(payload);
  } catch {
    // dispatcherd takes a text that is not JSON for the name of a task.
    if (payload.trim() === "") return { kind: "refused", why: "Cannot read a message: it is blank" };
    return readTask({ task: payload }, queue, now, maxArgsBytes);
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    const kind = message === null ? "null" : Array.isArray(message) ? "an array" : `a ${typeof message}`;
    return { kind: "refused", why: `Cannot read a message: it is ${kind}, not an object` };
  }
  if (CHUNK_KEY in message) return { kind: "chunk", chunk: message };
  return "control" in message ? readControl(message) : readTask(message, queue, now, maxArgsBytes);
}

function readControl(message: object): Wire {
  const parsed = controlMessage.safeParse(message);
  if (!parsed.success) return refused("a control message", parsed.error);
  const { control, reply_to, control_data } = parsed.data;
  return { kind: "control", command: control, replyTo: reply_to ?? null, data: control_data ?? {} };
}

function readTask(message: object, queue: string, now: number, most: number): Wire {
  const parsed = taskMessage.safeParse(message);
  if (!parsed.success) return refused("a task message", parsed.error);
  try {
    const envelope = sealed(parsed.data, queue, now);
    const fault = sizeFault(envelope, most);
    if (fault) return { kind: "refused", why: `Cannot take a message of "${envelope.task}": ${fault}` };
    return { kind: "task", anonymous: parsed.data.uuid === undefined, envelope };
  } catch (error) {
    // Nested too deep, or a number beyond what a double holds.
    if (!(error instanceof DispatcherError)) throw error;
    return { kind: "refused", why: `Cannot read a task message: ${error.message}` };
  }
}

function sealed(message: z.output<typeof taskMessage>, queue: string, now: number): Sealed {
  const {
    task,
    uuid,
    args = [],
    kwargs = {},
    time_pub,
    timeout,
    delay,
    priority,
    on_duplicate,
    max_attempts,
    resources,
    preemptible,
    ...rest
  } = message;
  const extras: EnvelopeExtras = { ...rest };
  if (on_duplicate) extras.on_duplicate = on_duplicate;
  if (resources) extras.resources = resources;
  if (preemptible !== undefined) extras.preemptible = preemptible;
  // Where the uuid does not tell when it is due.
  if (!("due" in rest) && (delay !== undefined || (uuid !== undefined && timeOf(uuid) === null))) {
    extras.due = Math.round(1000 * ((time_pub ?? now / 1000) + (delay ?? 0)));
  }
  // Any text is a uuid to dispatcherd; ours is derived from it, and its own stays with the message.
  if (uuid !== undefined && !isUuid(uuid)) extras.message_uuid = uuid;
  return {
    uuid: uuid === undefined ? uuid7(now) : isUuid(uuid) ? uuid.toLowerCase() : hashUuid(uuid),
    ownUuid: uuid !== undefined,
    unique: on_duplicate !== undefined && on_duplicate !== "parallel",
    queue,
    task,
    args: encodeJson(args, "args"),
    kwargs: encodeJson(kwargs, "kwargs"),
    options: encodeJson(extras, "the message"),
    priority: priority ?? 0,
    maxAttempts: max_attempts ?? null,
    timeout: timeout ?? null,
    delay: delay ?? null,
    at: null,
    timePub: time_pub ?? now / 1000,
    ttl: null,
  };
}

function refused(what: string, error: z.ZodError): Wire {
  const { path, message } = error.issues[0];
  return {
    kind: "refused",
    why: `Cannot read ${what}: ${path.length ? `${path.join(".")}: ` : ""}${message}`,
  };
}

/** An envelope as a task message, for those who listen. */
export function writeTask(envelope: Sealed): string {
  const { uuid, task, args, kwargs, options, timeout, delay, priority, maxAttempts, timePub } = envelope;
  const head = {
    task,
    uuid,
    time_pub: timePub,
    ...(timeout === null ? {} : { timeout }),
    ...(delay === null ? {} : { delay }),
    ...(priority === 0 ? {} : { priority }),
    ...(maxAttempts === null ? {} : { max_attempts: maxAttempts }),
    ...JSON.parse(options),
  };
  return `${JSON.stringify(head).slice(0, -1)},"args":${args},"kwargs":${kwargs}}`;
}
