/** What is in the tables, in a shape that a model without a clock can be compared with. */
import assert from "node:assert/strict";
import type { Sql } from "../../../runtime/store/connection.ts";

/** A row of the hot table. */
export interface LiveRow {
  uuid: string;
  queue: string;
  origin: string | null;
  adopter: string | null;
  state: string;
  attempt: number;
  fence: number;
  blocked: boolean;
  due: "now" | "later" | null;
  solo: boolean;
  keyed: boolean;
  node: string | null;
  instance: string | null;
  cancel: boolean;
  progress: string | null;
  error: string | null;
  /** The outcomes of its attempts. */
  attempts: string[];
}

/** A row of the archive. */
export interface FinalRow {
  uuid: string;
  queue: string;
  origin: string | null;
  state: string;
  attempt: number;
  node: string | null;
  progress: string | null;
  error: string | null;
  attempts: string[];
  result: string | null;
}

export interface Observed {
  live: LiveRow[];
  final: FinalRow[];
  nodes: { name: string; instance: string; state: string }[];
}

const SHARED = `uuid::text, queue, origin::text, state, attempt, node, progress::text, error::text,
  to_json(array(select a ->> 'outcome' from unnest(attempts) a)) attempts`;

/** Read both tables and the nodes, in the order of their names. */
export async function observe(sql: Sql): Promise<Observed> {
  const live = await sql.unsafe(`select ${SHARED}, adopter, fence, blocked, solo, dedupe is not null keyed,
    instance::text, cancel_at is not null cancel, case when due_at <= clock_timestamp() then 'now'
    when due_at is not null then 'later' end due from dispatcher.envelope order by uuid`);
  const final = await sql.unsafe(`select ${SHARED}, result::text from dispatcher.archive order by uuid`);
  const nodes = await sql.unsafe(`select name, instance::text, state from dispatcher.node order by name`);
  return { live: [...live], final: [...final], nodes: [...nodes] } as unknown as Observed;
}

/** What holds at every moment, whoever did what at once. */
export async function checkInvariants(sql: Sql): Promise<void> {
  const none = async (what: string, query: string) =>
    assert.deepEqual([...await sql.unsafe(query)], [], what);
  await none(
    "a uuid is in one table",
    `select uuid from (select uuid from dispatcher.envelope union all select uuid from dispatcher.archive) u
      group by uuid having count(*) > 1`,
  );
  await none(
    "of a key one is unblocked at most",
    `select dedupe from dispatcher.envelope where dedupe is not null and not blocked group by dedupe
      having count(*) > 1`,
  );
  await none(
    "who runs has an instance, and who does not run has none",
    `select uuid, state from dispatcher.envelope where (state = 'running') <> (instance is not null)
      or (state = 'running') <> (node is not null) or (state = 'running') <> (claimed_at is not null)`,
  );
  await none(
    "what is available or runs is not blocked, and waits for no time",
    `select uuid, state from dispatcher.envelope
      where state in ('available', 'running') and (blocked or due_at is not null)`,
  );
  await none(
    "what is retried has a time, and what was not claimed has no attempt",
    `select uuid, state from dispatcher.envelope where (state = 'retryable' and due_at is null)
      or attempt > fence or attempt < 0 or (state = 'running' and attempt < 1)
      or (state = 'scheduled' and not blocked and due_at is null)`,
  );
  await none(
    "a cancel is asked of what runs only",
    `select uuid, state from dispatcher.envelope where cancel_at is not null and state <> 'running'`,
  );
  await none(
    "what runs is found when its node dies",
    `select uuid, instance from dispatcher.envelope where state = 'running'
      and (instance, uuid) not in (select instance, unnest(uuids) from dispatcher.held)`,
  );
}

/** Empty all tables. */
export async function clear(sql: Sql): Promise<void> {
  await sql.unsafe(
    `delete from dispatcher.envelope; delete from dispatcher.archive; delete from dispatcher.node;
    delete from dispatcher.queue; delete from dispatcher.delivery; delete from dispatcher.broadcast;
    delete from dispatcher.adoption; delete from dispatcher.held; truncate dispatcher.on_call; update dispatcher.leader set instance = null, until = '-infinity'`,
  );
}
