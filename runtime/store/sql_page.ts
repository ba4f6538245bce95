/**
 * The statements of the dashboard: each is cheap whatever the tables hold.
 *
 * @module
 */
import { LIVE_STATES } from "../state.ts";
import { DEAD_MESSAGE, DEAD_NAME } from "./sql_dead.ts";
import { ARGS as ARGUMENTS, FINAL, LIVE, SHOWN_STATE } from "./sql_look.ts";
import { asks, held, LATER, ready } from "./sql_rows.ts";

/** `->` and `->>` refuse these in text that json keeps. */
const ODD_ESCAPE = String.raw`\\u(0000|d[89a-f])`;

/** $7 members, $8 values, $9 a text that stands in the arguments in any case. */
const ARGS = `($7::text[] is null or case
  when position($9::text in (${ARGUMENTS})::text) = 0 or (${ARGUMENTS})::text ~* '${ODD_ESCAPE}' then false
  when json_typeof(${ARGUMENTS}) <> 'array' then false
  else not exists (select from unnest($7::text[], $8::text[]) w (member, value) where not exists (
    select from json_array_elements(${ARGUMENTS}) with ordinality a (v, n)
    where (n - 1)::text = w.member and v #>> '{}' = w.value
      or case when json_typeof(v) = 'object' then v ->> w.member = w.value else false end)) end)`;

const MATCH = `($1::text[] is null or state = any($1)) and ($2::text is null or queue = $2)
  and ($3::text is null or task like $3) and ($4::text is null or node = $4)
  and ($5::uuid is null or uuid between $5 and $6 or origin between $5 and $6) and ${ARGS}`;

/** $11: the place of the page before, $12: whether there is a bound of $13 rows to look through. */
const BEHIND = `($11::uuid is null or uuid < $11)`;

const ZERO = "00000000-0000-0000-0000-000000000000";

const SHORT = `uuid::text, ${SHOWN_STATE}`;

const place = (table: string, only: string) =>
  `(select uuid from dispatcher.${table} where ${only} and ${BEHIND} order by uuid desc offset $13::int - 1 limit 1)`;

const pageOf = (only: string, final: "true" | "false" = "false", hot = LIVE, cold = FINAL) => `
with bound as materialized (
  select case when $12::boolean then greatest(${place("envelope", only)}, ${
  place("archive", final)
}) end least
), page as (
  (select ${hot}, dispatcher.envelope.uuid place from dispatcher.envelope
    where ${only} and ${MATCH} and ${BEHIND} and uuid >= coalesce((select least from bound), '${ZERO}')
    order by dispatcher.envelope.uuid desc limit $10)
  union all
  (select ${cold}, dispatcher.archive.uuid place from dispatcher.archive
    where ${final} and ${MATCH} and ${BEHIND} and uuid >= coalesce((select least from bound), '${ZERO}')
    order by dispatcher.archive.uuid desc limit $10)
)
select bound.least::text looked, page.* from bound left join page on true order by page.place desc limit $10`;

/** Of both tables in the order of their uuids, by uuid and state alone. Index: primary key, archive_uuid. */
export const PAGE_SHORT: string = pageOf("true", "true", SHORT, SHORT);
/** A page of what is not final, in the order of its uuids. Index: primary key. */
export const PAGE_LIVE: string = pageOf("true");
/** The same of what runs, which are few. Index: primary key. */
export const PAGE_RUNNING: string = pageOf(`${held()} and state = 'running'`);
/** The same of what waits for its time. Index: envelope_due. */
export const PAGE_LATER: string = pageOf(`${LATER} and state in ('scheduled', 'retryable')`);

const MICROS = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;
const micros = (column: string) => `to_char(${column} at time zone 'utc', ${MICROS})`;

const ended = (only: string) => `
with bound as materialized (
  select case when $12::boolean then (
    select finished_at from dispatcher.archive where ${only} and ($14::timestamptz is null or finished_at < $14)
    order by finished_at desc offset $13::int - 1 limit 1) end least
), page as (
  select ${FINAL}, finished_at moment, uuid place from dispatcher.archive
  where ${only} and ${MATCH}
    and ($14::timestamptz is null or finished_at <= $14 and (finished_at < $14 or uuid < $11::uuid))
    and finished_at >= coalesce((select least from bound), '-infinity')
  order by dispatcher.archive.finished_at desc, dispatcher.archive.uuid desc limit $10
)
select ${micros("bound.least")} looked, ${micros("page.moment")} at, page.* from bound left join page on true
order by page.moment desc, page.place desc limit $10`;

/** A page of what is final, in the order of its end. Index: archive_finished. */
export const PAGE_FINAL: string = ended("true");
/** The same of the dead. Index: archive_discarded. */
export const PAGE_DEAD: string = ended("state = 'discarded'");

const counted = (state: string, from: string, where = "true") =>
  `select '${state}' state, count(*)::int n
  from (select from ${from} where ${where} and state = '${state}' limit $1) part`;

const PLACES: Record<string, string> = { available: ready(), asking: asks(), running: held() };
const LIVE_COUNTS = [...LIVE_STATES, "asking"]
  .map((state) => counted(state, "dispatcher.envelope", PLACES[state] ?? LATER))
  .join(" union all ");
const DEAD_COUNT = counted("discarded", "dispatcher.archive");

/**
 * How many there are, up to a bound. Indexes: envelope_claim, envelope_asking, envelope_due, primary key,
 * archive_discarded.
 */
export const COUNTS = `
select clock_timestamp() now,
  (select json_object_agg(state, n) from (
    select ${SHOWN_STATE}, sum(n) n from (${LIVE_COUNTS}) each group by 1
  ) live) live,
  (select n from (${DEAD_COUNT}) dead) discarded,
  recent.states, recent.since
from (
  select json_build_object('completed', count(*) filter (where state = 'completed'),
    'cancelled', count(*) filter (where state = 'cancelled'),
    'discarded', count(*) filter (where state = 'discarded')) states, min(finished_at) since
  from (select state, finished_at from dispatcher.archive order by finished_at desc limit $1 - 1) last
) recent`;

/**
 * What stands in each queue, up to a bound each. The queues of what is available are found by going from one to the
 * next in the index, not by reading it. Indexes: envelope_claim, envelope_asking, envelope_due, primary key.
 */
export const QUEUE_LOOK: string = `
with recursive head as (
  (select queue, priority, created_at from dispatcher.envelope where ${ready()} and state = 'available'
    order by queue, priority, id limit 1)
  union all
  select n.* from head h cross join lateral (
    select e.queue, e.priority, e.created_at from dispatcher.envelope e
    where ${ready("e")} and e.state = 'available' and (e.queue, e.priority) > (h.queue, h.priority)
    order by e.queue, e.priority, e.id limit 1) n
), asking as (
  (select queue, demand, priority, created_at from dispatcher.envelope where ${asks()} and state = 'asking'
    order by queue, demand, priority, id limit 1)
  union all
  select n.* from asking a cross join lateral (
    select e.queue, e.demand, e.priority, e.created_at from dispatcher.envelope e
    where ${
  asks("e")
} and e.state = 'asking' and (e.queue, e.demand, e.priority) > (a.queue, a.demand, a.priority)
    order by e.queue, e.demand, e.priority, e.id limit 1) n
), oldest as (
  select queue, min(created_at) at from (
    (select queue, created_at from head limit 1000)
    union all
    (select queue, created_at from asking limit 1000)) part
  group by queue
), running as (
  select queue, count(*)::int n from (
    select queue from dispatcher.envelope where ${held()} and state = 'running' limit $1) part group by queue
), later as (
  select queue, (count(*) filter (where state = 'scheduled'))::int scheduled,
    (count(*) filter (where state = 'retryable'))::int retryable
  from (select queue, state from dispatcher.envelope where ${LATER} and state in ('scheduled', 'retryable') limit $1) part
  group by queue
), known as (
  select queue from oldest union select queue from running union select queue from later
  union select name from dispatcher.queue
  union select unnest(queues) from dispatcher.node
    where lease_until > clock_timestamp() and state in ('running', 'draining')
)
select queue, coalesce(later.scheduled, 0) scheduled, coalesce(waiting.n, 0) available,
  coalesce(running.n, 0) running, coalesce(later.retryable, 0) retryable, oldest.at oldest_at,
  exists (select from dispatcher.queue q where q.name = queue and q.paused_at is not null) paused
from known left join oldest using (queue) left join running using (queue) left join later using (queue)
left join lateral (
  select count(*)::int n from (
    (select from dispatcher.envelope e where ${
  ready("e")
} and e.state = 'available' and e.queue = known.queue limit $1)
    union all
    (select from dispatcher.envelope e where ${
  asks("e")
} and e.state = 'asking' and e.queue = known.queue limit $1)) part
) waiting on oldest.queue is not null
order by 1`;

/**
 * What waits for resources, by queue, up to $1 each; of the first 200 queues, as many as are counted by. The queues are
 * found by going from one to the next in the index. Index: envelope_asking.
 */
export const ASKING: string = `
with recursive open as (
  (select queue from dispatcher.envelope where ${asks()} and state = 'asking' order by queue limit 1)
  union all
  select n.queue from open o cross join lateral (
    select e.queue from dispatcher.envelope e where ${asks("e")} and e.state = 'asking' and e.queue > o.queue
    order by e.queue limit 1) n
)
select o.queue, waiting.n asking from (select queue from open limit 200) o cross join lateral (
  select count(*)::int n from (
    select from dispatcher.envelope e where ${
  asks("e")
} and e.state = 'asking' and e.queue = o.queue limit $1) part) waiting`;

/** The room that the tables take. */
export const TABLES = `
select c.relname name, pg_table_size(c.oid)::float8 bytes, pg_indexes_size(c.oid)::float8 index_bytes,
  coalesce(s.n_live_tup, 0)::float8 "rows", coalesce(s.n_dead_tup, 0)::float8 dead,
  greatest(s.last_vacuum, s.last_autovacuum) vacuumed_at
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_all_tables s on s.relid = c.oid
where n.nspname = 'dispatcher' and c.relkind = 'r' order by 2 desc, 1`;

/** The latest dead by task and error, and of how many. Index: archive_discarded. */
export const GROUPS: string = `
select task, error, message, count(*)::int "count", min(finished_at) first_at, max(finished_at) last_at,
  (array_agg(uuid::text order by finished_at desc))[1] last_uuid
from (
  select uuid, task, finished_at, ${DEAD_NAME} error, ${DEAD_MESSAGE} message
  from (select * from dispatcher.archive where state = 'discarded' order by finished_at desc limit $1) latest
) dead
group by task, error, message order by last_at desc limit $2`;

/** The latest of one such group. Index: archive_discarded. */
export const FAILED: string = `
select uuid::text from (
  select uuid, task, error from dispatcher.archive where state = 'discarded' order by finished_at desc limit $1
) latest where task = $2 and ${DEAD_NAME} = $3 and ${DEAD_MESSAGE} = $4`;
