/**
 * What the API takes and gives, as types for its client. Written out, so that a program that uses the client loads no
 * schema library for its types; `tests/http/client.test.ts` holds them against the schemas.
 *
 * @module
 */

/** A call that follows another. */
export interface FollowingCall {
  task: string;
  args?: unknown[];
  kwargs?: Record<string, unknown>;
}

/** What a publisher may ask for, besides the task. */
export interface PublishOptions {
  args?: unknown[];
  /** Never in any answer. */
  kwargs?: Record<string, unknown>;
  /** A shared queue, a node's name, or `broadcast`; by default `default`. */
  queue?: string;
  /** An id of your own: publishing it twice changes nothing. */
  uuid?: string;
  /** Seconds. */
  delay?: number;
  /** With an offset or Z. */
  at?: string;
  /** Seconds that an attempt may take. */
  timeout?: number;
  /** Smaller runs earlier. */
  priority?: number;
  /** What it needs of its node while it runs, such as `{ cpu: 2, gpu: 1 }`. */
  resources?: Record<string, number>;
  /** It may be stopped for something more urgent, and runs again later. */
  preemptible?: boolean;
  max_attempts?: number;
  on_duplicate?: "parallel" | "discard" | "serial" | "queue_one";
  /** Over the broker only: lost when nobody listens. */
  volatile?: boolean;
  /** Seconds that a broadcast waits for nodes that are away. */
  ttl?: number;
  guid?: string;
  callbacks?: FollowingCall[];
  errbacks?: FollowingCall[];
}

/** A call with its task. */
export interface Call extends PublishOptions {
  task: string;
}

export interface Published {
  uuid: string;
  queue: string;
  /** The uuid was there already: nothing was written. */
  known: boolean;
  /** The equal envelope for whose sake it was dropped. */
  duplicate_of: string | null;
}

export type State =
  | "scheduled"
  | "available"
  | "running"
  | "retryable"
  | "completed"
  | "cancelled"
  | "discarded";

export interface TaskError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  [more: string]: unknown;
}

export interface Attempt {
  attempt: number;
  node: string | null;
  worker: string | null;
  started_at: string | null;
  finished_at: string;
  outcome: string;
  error?: TaskError;
  [more: string]: unknown;
}

/** The columns of an envelope; arguments, progress and result are redacted. */
interface EnvelopeColumns {
  /** The broadcast it is one node's copy of. */
  origin: string | null;
  queue: string;
  task: string;
  args: unknown;
  options: Record<string, unknown>;
  state: State;
  priority: number;
  attempt: number;
  max_attempts: number | null;
  timeout: number | null;
  time_pub: number | null;
  created_at: string;
  due_at: string | null;
  node: string | null;
  claimed_at: string | null;
  finished_at: string | null;
  cancel_at: string | null;
  progress: unknown;
  result: unknown;
  error: TaskError | null;
  attempts: Attempt[];
}

/** One as the list has it: of what was asked for with `fields`, the uuid and those. */
export interface ListedEnvelope extends Partial<EnvelopeColumns> {
  uuid: string;
}

/** All that is known of one. */
export interface Envelope extends EnvelopeColumns {
  uuid: string;
  /** Why it does not run, or who runs it, or how it ended. */
  why: { code: string; text: string }[];
}

/** Which envelopes to act on. */
export interface Filter {
  queue?: string;
  task?: string;
  node?: string;
  state?: State[];
  /** Published so many seconds ago, or earlier. */
  older?: number;
}

/** Which envelopes to list. */
export interface ListFilter {
  state?: State[];
  queue?: string;
  task?: string;
  node?: string;
  /** A uuid, or its first digits. */
  uuid?: string;
  /** Seconds, or a text such as `5m`. */
  older?: string | number;
  /** By default 100. */
  limit?: number;
  /** `next` of the page before. */
  before?: string;
  fields?: (keyof ListedEnvelope)[];
}

/** What became of it. */
export interface Acted {
  /** How many it did something to. */
  changed: number;
  /** How many each. */
  did: Record<string, number>;
  /** Of each that was named; of what a filter found, none. */
  results: { uuid: string; did: string; node: string | null }[];
}

export interface Node {
  name: string;
  instance: string;
  runtime: string;
  version: string;
  host: string;
  pid: number;
  state: "running" | "draining" | "stopped" | "lost";
  alive: boolean;
  min: number;
  max: number;
  slots: number;
  busy: number;
  listener: "connected" | "isolated";
  /** Bytes. */
  rss: number | null;
  /** What it offers, what is in use, seconds that are worth a step of priority, and for which envelope it holds room. */
  resources: {
    offers: Record<string, number>;
    used: Record<string, number>;
    ageing: number;
    reserved: string | null;
  } | null;
  queues: string[];
  started_at: string;
  last_seen: string;
  lease_until: string;
  leader: boolean;
}

/** A node's answer to a command. */
export interface Reply {
  node_id?: string;
  [more: string]: unknown;
}

export interface Queue {
  queue: string;
  scheduled: number;
  available: number;
  running: number;
  retryable: number;
  oldest_seconds: number | null;
  paused: boolean;
}

export interface Schedule {
  name: string;
  scope: "cluster" | "node";
  /** Of scope `node`: the live nodes that tick it. */
  nodes: string[] | null;
  task: string;
  args: unknown[];
  queue: string;
  options: Record<string, unknown>;
  every: number | null;
  cron: string | null;
  timezone: string | null;
  catch_up: "one" | "all" | "none";
  enabled: boolean;
  next_at: string | null;
  last_at: string | null;
  last_uuid: string | null;
}

export interface Failure {
  task: string;
  error: string;
  message: string;
  count: number;
  first_at: string;
  last_at: string;
  last_uuid: string;
}

export interface AuditRecord {
  id: number;
  at: string;
  who: string;
  how: string;
  address: string;
  node: string;
  action: string;
  target: string;
  count: number;
  ok: boolean;
  detail: Record<string, unknown>;
}

/** Problem details (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  [extension: string]: unknown;
}
