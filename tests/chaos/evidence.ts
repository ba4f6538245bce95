/**
 * What a chaos run is judged by: the rows of the database at its end, beside what the publishers know.
 *
 * @module
 */
import { HISTORY } from "../../runtime/store/sql_look.ts";
import type { LogLine, Surprise } from "./fleet.ts";

/** A call that the database has said yes to. */
export interface Published {
  uuid: string;
  task: string;
  args: unknown[];
  queue: string;
  delay: number;
  priority: number;
  maxAttempts: number;
  serial: boolean;
  /** Units of what each node has a few of. */
  units: number;
  preemptible: boolean;
  via: "client" | "sql" | "wire";
  /** Which of the publishers it was; each waits for one broadcast before the next. */
  publisher: number;
  ackedAt: number;
}

export interface AttemptRow {
  attempt: number;
  node: string;
  worker: string | null;
  outcome: string;
  started_at: string | null;
  finished_at: string;
  error?: { name: string; message: string };
}

export interface ArchiveRow {
  uuid: string;
  origin: string | null;
  queue: string;
  task: string;
  state: string;
  attempt: number;
  max_attempts: number | null;
  node: string | null;
  result: unknown;
  error: { name: string; message: string } | null;
  attempts: AttemptRow[];
  /** Milliseconds since 1970, by the database's clock. */
  created: number;
  finished: number;
  /** It was handed over to a node that was on call, and ran there. */
  handed: boolean;
}

export interface LiveRow {
  uuid: string;
  origin: string | null;
  queue: string;
  task: string;
  state: string;
  node: string | null;
  attempt: number;
  fence: number;
  blocked: boolean;
  due_at: string | null;
  /** Whether its instance is that of a live node. */
  held_by_live: boolean;
}

export interface RunRow {
  uuid: string;
  attempt: number;
  node: string;
  worker: string;
  grp: string | null;
  /** Milliseconds since 1970, by the clock of this machine. */
  began: number;
  ended: number | null;
}

export interface Evidence {
  /** In the order of their acknowledgements. */
  published: Published[];
  /** Uuids whose end somebody asked for. */
  cancelled: Set<string>;
  archive: ArchiveRow[];
  live: LiveRow[];
  runs: RunRow[];
  /** Names of the nodes that were there from before the first call to the end. */
  nodes: string[];
  /** The partitions that there are, and the rows in each. */
  partitions: Record<string, number>;
  /** The partitions that there were at the start. */
  partitionsBefore: string[];
  logs: Record<string, LogLine[]>;
  surprises: Surprise[];
  /** How often something was broken that a node could notice. */
  outages: number;
}

/** What reads: the tag of the `postgres` package. */
// deno-lint-ignore no-explicit-any
type Sql = { unsafe(text: string): PromiseLike<any[]> };

export async function readArchive(sql: Sql): Promise<ArchiveRow[]> {
  return await sql.unsafe(
    `select uuid::text, origin::text, queue, task, state, attempt, max_attempts, node, result, error,
    ${HISTORY} attempts, extract(epoch from created_at)::float8 * 1000 created,
    extract(epoch from finished_at)::float8 * 1000 finished, coalesce(claimed_at = created_at, false) handed
    from dispatcher.archive order by created_at`,
  );
}

export async function readLive(sql: Sql): Promise<LiveRow[]> {
  return await sql.unsafe(
    `select uuid::text, origin::text, queue, task, state, node, attempt, fence, blocked, due_at::text,
    exists (select from dispatcher.node n where n.instance = e.instance and n.lease_until > clock_timestamp()
      and n.state in ('running', 'draining')) held_by_live
    from dispatcher.envelope e order by id`,
  );
}

export async function readRuns(sql: Sql): Promise<RunRow[]> {
  return await sql.unsafe(
    `select uuid::text, attempt, node, worker, grp, extract(epoch from began)::float8 * 1000 began,
    extract(epoch from ended)::float8 * 1000 ended from public.chaos_run order by began`,
  );
}

export async function readPartitions(sql: Sql): Promise<Record<string, number>> {
  const names = await sql.unsafe(
    `select c.relname name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'dispatcher.archive'::regclass`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of names) {
    counts[name] = (await sql.unsafe(`select count(*)::int n from dispatcher.${name}`))[0].n;
  }
  return counts;
}

export const RUN_TABLE =
  `create table if not exists public.chaos_run (id uuid primary key, uuid uuid not null,
  attempt int not null, node text not null, worker text not null, grp text, began timestamptz not null, ended timestamptz)`;
