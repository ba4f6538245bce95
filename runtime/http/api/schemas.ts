/**
 * What the API takes and gives. The document, the checks and the client's types are all made of these.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { ON_DUPLICATE } from "../../envelope.ts";
import { type State, STATES } from "../../state.ts";

const slots = z.int().min(1).max(1_000);
const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();
const time = z.string().meta({ format: "date-time" });
const json = z.unknown().meta({ description: "Any JSON" });
const state = z.enum(STATES as [State, ...State[]]);
const name = z.string().min(1);

/** A uuid, or the first digits of one. */
export const prefix: z.ZodString = z.string().regex(
  /^[0-9a-fA-F-]{4,36}$/,
  "it is not a uuid or the first 4 or more digits of one",
);
export const uuid: z.ZodString = z.string().regex(
  /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/,
  "it is not a uuid",
);

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 };

/** `30s`, `500ms`, `2m`, `1.5h`, `7d`, or a number of seconds; read as seconds. */
export const duration = z.string().regex(
  /^\d{1,9}(\.\d{1,6})?(ms|s|m|h|d)?$/,
  "it is no duration, such as 30s or 5m",
)
  .transform((text) => parseFloat(text) * (UNIT_SECONDS[/[a-z]+$/.exec(text)?.[0] ?? "s"]));

const call = z.object({
  task: name,
  args: z.array(json).optional(),
  kwargs: z.record(z.string(), json).optional(),
});

/** By name. */
const amounts = z.record(z.string(), z.number().min(0));

const optionsShape = {
  args: z.array(json).optional().meta({ description: "Positional arguments" }),
  kwargs: z.record(z.string(), json).optional().meta({
    description: "Keyword arguments; never in any answer",
  }),
  queue: name.optional().meta({
    description: "A shared queue, a node's name, or broadcast; by default default",
  }),
  uuid: uuid.optional().meta({ description: "An id of your own: publishing it twice changes nothing" }),
  delay: z.number().min(0).optional().meta({ description: "Seconds to wait before it may run" }),
  at: z.string().optional().meta({ description: "Time before which it may not run, with an offset or Z" }),
  timeout: z.number().positive().optional().meta({ description: "Seconds that an attempt may take" }),
  priority: z.int().min(-32768).max(32767).optional().meta({ description: "Smaller runs earlier" }),
  resources: amounts.optional().meta({
    description: "What it needs of its node while it runs, such as {cpu: 2, gpu: 1}",
  }),
  preemptible: z.boolean().optional().meta({ description: "It may be stopped for something more urgent" }),
  max_attempts: z.int().min(1).max(1000).optional(),
  on_duplicate: z.enum(ON_DUPLICATE).optional(),
  volatile: z.boolean().optional().meta({ description: "Over the broker only: lost when nobody listens" }),
  ttl: z.number().positive().optional().meta({ description: "Seconds that a broadcast waits for nodes" }),
  guid: z.string().optional(),
  callbacks: z.array(call).optional(),
  errbacks: z.array(call).optional(),
};

/** What a publisher may ask for, besides the task. */
export const publishOptions = z.strictObject(optionsShape).openapi("PublishOptions");
/** A call with its task. */
export const publishCall = z.strictObject({
  task: name.meta({ examples: ["examples/add"] }),
  ...optionsShape,
})
  .openapi("Call");

export const published = z.strictObject({
  uuid: z.string(),
  queue: z.string(),
  known: z.boolean().meta({ description: "The uuid was there already: nothing was written" }),
  duplicate_of: nullable(z.string()).meta({
    description: "The equal envelope for whose sake it was dropped",
  }),
}).openapi("Published");

const errorRecord = z.looseObject({
  name: z.string(),
  message: z.string(),
  stack: z.string().optional(),
  code: z.string().optional(),
}).openapi("TaskError");

const attempt = z.looseObject({
  attempt: z.int(),
  node: nullable(z.string()),
  worker: nullable(z.string()),
  started_at: nullable(time),
  finished_at: time,
  outcome: z.string(),
  error: errorRecord.optional(),
}).openapi("Attempt");

const envelopeShape = {
  uuid: z.string(),
  origin: nullable(z.string()).meta({ description: "The broadcast it is one node's copy of" }),
  queue: z.string(),
  task: z.string(),
  args: json.meta({ description: "Redacted" }),
  options: z.record(z.string(), json),
  state,
  priority: z.int(),
  attempt: z.int(),
  max_attempts: nullable(z.int()),
  timeout: nullable(z.number()),
  time_pub: nullable(z.number()).meta({ description: "Seconds since 1970 by the publisher's clock" }),
  created_at: time,
  due_at: nullable(time),
  node: nullable(z.string()),
  claimed_at: nullable(time),
  finished_at: nullable(time),
  cancel_at: nullable(time),
  progress: json.meta({ description: "Redacted" }),
  result: json.meta({ description: "Redacted; the whole is at /envelopes/{uuid}/result" }),
  error: nullable(errorRecord),
  attempts: z.array(attempt),
};
/** The fields of an envelope; keyword arguments are not among them. */
export const FIELDS = Object.keys(envelopeShape) as (keyof typeof envelopeShape)[];

const why = z.strictObject({ code: z.string(), text: z.string() });

/** One as the list has it: of what was asked for with `fields`, the uuid and those. */
export const listedEnvelope = z.strictObject(envelopeShape).partial().required({ uuid: true }).openapi(
  "ListedEnvelope",
);
export const envelope = z.strictObject({ ...envelopeShape, why: z.array(why) }).openapi("Envelope");

const filterShape = {
  queue: name.optional(),
  task: name.optional(),
  node: name.optional(),
};

/** A filter in a body. */
export const filter = z.strictObject({
  ...filterShape,
  state: z.array(state).min(1).optional(),
  older: z.number().min(0).optional().meta({ description: "Published so many seconds ago, or earlier" }),
}).refine((filter) => Object.values(filter).some((value) => value !== undefined), "it narrows nothing")
  .openapi("Filter");

const words = <T extends string>(of: readonly T[]) =>
  z.string().transform((text) => text.split(",").map((word) => word.trim())).pipe(
    z.array(z.enum(of as [T, ...T[]])).min(1),
  );
const limit = (most: number) => z.coerce.number().int().min(1).max(most).default(100);

/** A filter in a query. */
export const listQuery = z.strictObject({
  ...filterShape,
  state: words(STATES).optional().meta({ description: "States, with commas between" }),
  uuid: prefix.optional(),
  older: duration.optional(),
  limit: limit(1_000),
  before: uuid.optional().meta({ description: "`next` of the page before" }),
  fields: words(FIELDS).optional().meta({
    description: "Fields, with commas between; uuid always comes along",
  }),
});

/** What to act on: uuids or beginnings of them, or all that a filter finds. */
export const actBody = z.union([
  z.strictObject({ uuids: z.array(prefix).min(1).max(1_000), reason: z.string().max(1_000).optional() }),
  z.strictObject({ filter, reason: z.string().max(1_000).optional() }),
]).openapi("Selection");

export const reasonBody = z.strictObject({ reason: z.string().max(1_000).optional() });

export const acted = z.strictObject({
  changed: z.int().meta({ description: "How many it did something to" }),
  did: z.record(z.string(), z.int()).meta({ description: "What became of them, and how many each" }),
  results: z.array(z.strictObject({ uuid: z.string(), did: z.string(), node: nullable(z.string()) })).meta({
    description: "Of each that was named; of what a filter found, none",
  }),
}).openapi("Acted");

export const outcome = z.strictObject({ uuid: z.string(), state, result: json, error: nullable(errorRecord) })
  .openapi("Outcome");
export const pending = z.strictObject({ uuid: z.string(), state }).openapi("Pending");

export const node = z.strictObject({
  name: z.string(),
  instance: z.string(),
  runtime: z.string(),
  version: z.string(),
  host: z.string(),
  pid: z.int(),
  state: z.enum(["running", "draining", "stopped", "lost"]),
  alive: z.boolean(),
  min: z.int(),
  max: z.int(),
  slots: z.int(),
  busy: z.int(),
  listener: z.enum(["connected", "isolated"]),
  rss: nullable(z.number()),
  resources: nullable(z.strictObject({
    offers: amounts,
    used: amounts,
    ageing: z.number().meta({
      description: "Seconds of waiting that are worth one step of priority; 0: none are",
    }),
    reserved: nullable(z.string()).meta({ description: "The envelope for which it holds room" }),
  })),
  queues: z.array(z.string()),
  started_at: time,
  last_seen: time,
  lease_until: time,
  leader: z.boolean(),
}).openapi("Node");
export const reply = z.looseObject({ node_id: z.string().optional() }).openapi("Reply");
export const scaleBody = z.strictObject({ min: slots, max: slots })
  .refine(({ min, max }) => min <= max, "min is above max");
export const levelBody = z.strictObject({ level: z.enum(["debug", "info", "warning", "error"]) });

export const queue = z.strictObject({
  queue: z.string(),
  scheduled: z.int(),
  available: z.int(),
  running: z.int(),
  retryable: z.int(),
  oldest_seconds: nullable(z.number()),
  paused: z.boolean(),
}).openapi("Queue");
export const changed = z.strictObject({ changed: z.boolean() });
export const purged = z.strictObject({ purged: z.int() });

export const schedule = z.strictObject({
  name: z.string(),
  scope: z.enum(["cluster", "node"]),
  nodes: nullable(z.array(z.string())).meta({ description: "Of scope node: the live nodes that tick it" }),
  task: z.string(),
  args: z.array(json).meta({ description: "Redacted" }),
  queue: z.string().meta({ description: "Of scope node each node's own, and empty here" }),
  options: z.record(z.string(), json),
  every: nullable(z.number()),
  cron: nullable(z.string()),
  timezone: nullable(z.string()),
  catch_up: z.enum(["one", "all", "none"]),
  enabled: z.boolean(),
  next_at: nullable(time),
  last_at: nullable(time),
  last_uuid: nullable(z.string()),
}).openapi("Schedule");

export const failure = z.strictObject({
  task: z.string(),
  error: z.string(),
  message: z.string(),
  count: z.int(),
  first_at: time,
  last_at: time,
  last_uuid: z.string(),
}).openapi("Failure");
export const failureQuery = z.strictObject({
  queue: name.optional(),
  task: name.optional(),
  within: duration.optional(),
  limit: limit(1_000),
});

export const auditRow = z.strictObject({
  id: z.number(),
  at: time,
  who: z.string(),
  how: z.string(),
  address: z.string(),
  node: z.string(),
  action: z.string(),
  target: z.string(),
  count: z.int(),
  ok: z.boolean(),
  detail: z.record(z.string(), json),
}).openapi("AuditRecord");
export const auditQuery = z.strictObject({
  who: name.optional(),
  action: name.optional(),
  before: z.coerce.number().int().positive().optional().meta({ description: "`next` of the page before" }),
  limit: limit(1_000),
});

/** Problem details (RFC 9457). */
export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().meta({ description: "The error's code, for programs" }),
}).openapi("Problem");
