/**
 * What those who look at a cluster ask of the store. Every answer costs about the same with a thousand rows and with
 * millions: counts stop at a bound, pages begin behind a place, searches look through so many rows and say how far
 * they came.
 *
 * @module
 */
import type { State } from "../state.ts";
import type { FailureRow } from "./operator.ts";

/** What to look for; every field narrows. */
export interface PageFilter {
  state?: State[];
  queue?: string;
  /** A trailing `*` stands for anything. */
  task?: string;
  node?: string;
  /** Uuid or the beginning of one, also of the broadcast it comes from. */
  uuid?: string;
  /** Positional arguments: by place, or by a member of an argument that is an object. */
  args?: { member: string; value: string }[];
}

/** A page of envelopes. */
export interface EnvelopePage<Row> {
  rows: Row[];
  /** Where the next page begins; null at the end. */
  next: string | null;
  /** Whether the page ends because enough was looked through, not because it is full. */
  cut: boolean;
}

/** How many there are in each state; final ones of the last COUNT_CAP that finished. */
export interface StateCounts {
  /** ISO, by the database's clock: when this was so. */
  now: string;
  live: Record<"scheduled" | "available" | "running" | "retryable", number>;
  /** Discarded ones that the archive still has. */
  discarded: number;
  recent: Record<"completed" | "cancelled" | "discarded", number>;
  /** ISO: the first of the recent ones finished then; null when there is none. */
  since: string | null;
}

/** A queue and what stands in it; counts go up to the cap. */
export interface QueueLook {
  queue: string;
  scheduled: number;
  available: number;
  running: number;
  retryable: number;
  /** ISO: when the oldest available one was published. */
  oldest_at: string | null;
  paused: boolean;
}

/** How many envelopes of a queue wait for resources, up to COUNT_CAP. */
export interface AskingLook {
  queue: string;
  asking: number;
}

/** A table of the dispatcher's and its room. */
export interface TableLook {
  name: string;
  /** Bytes, of the rows and all that belongs to them but the indexes. */
  bytes: number;
  index_bytes: number;
  /** As the server estimates them. */
  rows: number;
  dead: number;
  vacuumed_at: string | null;
}

/** A callback receiver, as its last report has it. */
export interface ReceiverRow {
  name: string;
  pid: number;
  host: string;
  source: "redis" | "postgres";
  /** ISO. */
  started_at: string;
  last_seen: string;
  popped: number;
  saved: number;
  set_aside: number;
  in_memory: number;
  queue_size: number | null;
  /** Seconds. */
  lag_p95: number | null;
  /** Heard of within the last 10 seconds. */
  alive: boolean;
}

/** An event of a job that could not be written. */
export interface SetAsideRow {
  id: number;
  job_id: number | null;
  /** The beginning of its text. */
  event: string;
  reason: string;
  tries: number;
  /** ISO. */
  at: string;
}

/** Discarded envelopes that died alike. */
export type FailureGroup = Pick<FailureRow, "task" | "error" | "message">;

/** The looking part of the store; `Row` is all that is known of one envelope. */
export interface LookStore<Row> {
  /**
   * A page of envelopes: first what is not final, in the order of its uuids, the newest first where they are of
   * version 7; then what is, the last that ended first.
   *
   * @param after `next` of the page before.
   */
  page(filter: PageFilter, limit: number, after?: string): Promise<EnvelopePage<Row>>;
  /** The first so many of those that a filter finds, the newest uuid first; it looks through as many as that takes. */
  matching(filter: PageFilter, limit: number): Promise<{ uuid: string; state: State }[]>;
  counts(): Promise<StateCounts>;
  queues(): Promise<QueueLook[]>;
  /** What waits for resources; queues in which nothing does are left out. */
  asking(): Promise<AskingLook[]>;
  tables(): Promise<TableLook[]>;
  /** The dead by task and error, the latest first, of the last COUNT_CAP of them. */
  groups(limit: number): Promise<FailureRow[]>;
  /** Uuids of such a group. */
  failed(group: FailureGroup): Promise<string[]>;
  /** The callback receivers; none where the control plane's tables are not. */
  receivers(): Promise<ReceiverRow[]>;
  /** What receivers set aside last. */
  setAside(limit: number): Promise<SetAsideRow[]>;
}
