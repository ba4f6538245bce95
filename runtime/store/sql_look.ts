/**
 * The statements of those who look.
 *
 * @module
 */
import { asks, held, LATER, ready } from "./sql_rows.ts";

/** What this node took from the wire and what waits, blocked or for its time. Index: envelope_due, envelope_dedupe. */
export const ADOPTED: string = `
select uuid::text, origin::text, task, args, kwargs, blocked from dispatcher.envelope
where adopter = $1 and ${LATER} and state in ('scheduled', 'retryable')
  and ($2::text is null or task = $2) and ($3::uuid is null or uuid = $3 or origin = $3)
order by id limit $4`;

/** What waits apart because it asks for resources is available, to whoever looks (0012_resources.sql). */
export const SHOWN_STATE = "case state when 'asking' then 'available' else state end state";

/** Seconds since `e` was published, or due. By its text: what JSON keeps, `->>` may refuse. */
export const WAITED = `greatest(0, extract(epoch from clock_timestamp() - greatest(e.created_at,
    to_timestamp(substring(e.options::text from '"due" ?: ?(\\d{1,14})')::float8 / 1000))))::float8`;

/** The arguments, wherever they lie (0018_content.sql). */
export const ARGS = "case when starts_with(args::text, '{') then dispatcher.args_of(args) else args end";
/** The same for an envelope's row that is moved or shown whole. */
export const WHOLE = `${ARGS} args,
  case when starts_with(args::text, '{') then dispatcher.kwargs_of(args, kwargs) else kwargs end kwargs`;

/** Columns of both tables in one shape. */
export const LIVE: string =
  `uuid::text, origin::text, queue, task, ${WHOLE}, options, ${SHOWN_STATE}, priority, attempt, max_attempts,
  timeout, time_pub, created_at, due_at, node, claimed_at, null::timestamptz finished_at, cancel_at, progress,
  null::json result, error, to_json(attempts) attempts`;
/** The record of an attempt that completed is not kept as such: it is made of what is. */
const COMPLETED =
  `case when ended_at is not null then array[json_build_object('attempt', attempt, 'node', node, 'worker', worker,
    'started_at', to_char(started_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'finished_at', to_char(ended_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'outcome', 'completed')] end`;
/** All attempts of a row of the archive, where null are those before the one that completed. */
export const HISTORY: string = `to_json(attempts || ${COMPLETED})`;
export const FINAL: string =
  `uuid::text, origin::text, queue, task, ${WHOLE}, options, state, priority, attempt, max_attempts,
  timeout, time_pub, created_at, null::timestamptz due_at, node, claimed_at, finished_at, null::timestamptz cancel_at,
  progress, result, error, ${HISTORY} attempts`;
const MATCH = `($1::text[] is null or state = any($1)) and ($2::text is null or queue = $2)
  and ($3::text is null or task = $3) and ($4::text is null or node = $4)
  and ($5::uuid is null or uuid between $5 and $6 or origin between $5 and $6)
  and ($8::float8 is null or created_at <= clock_timestamp() - $8 * interval '1 second')`;

/** List envelopes of both tables, newest first. */
export const LIST = `
select * from (
  (select ${LIVE} from dispatcher.envelope where ${MATCH} order by created_at desc limit $7)
  union all
  (select ${FINAL} from dispatcher.archive where ${MATCH} order by created_at desc limit $7)
) both_tables order by created_at desc, uuid desc limit $7`;

/** A page of both tables in the order of the uuids, before one. Indexes: primary key, archive_uuid. */
export const PAGE = `
select * from (
  (select ${LIVE} from dispatcher.envelope where ${MATCH} and dispatcher.envelope.uuid < $9::uuid
    order by dispatcher.envelope.uuid desc limit $7)
  union all
  (select ${FINAL} from dispatcher.archive where ${MATCH} and dispatcher.archive.uuid < $9::uuid
    order by dispatcher.archive.uuid desc limit $7)
) both_tables order by uuid::uuid desc limit $7`;

/** Uuids and states of what a filter finds in both tables, in the order of the uuids, behind one. Index: primary key. */
export const MATCHING: string = `
(select uuid::text, ${SHOWN_STATE} from dispatcher.envelope where ${MATCH} and ($9::uuid is null or uuid > $9)
  order by dispatcher.envelope.uuid limit $7)
union all
(select uuid::text, state from dispatcher.archive where ${MATCH} and ($9::uuid is null or uuid > $9)
  order by dispatcher.archive.uuid limit $7)
order by uuid limit $7`;

/**
 * What holds an envelope back, besides its own row; what goes before it, of what asks for the same, is counted up to
 * 1,000. Indexes: envelope_claim, envelope_asking, primary key.
 */
export const HOLDUPS: string = `
select e.blocked, e.preempted, exists (select from dispatcher.queue q where q.name = e.queue and q.paused_at is not null) paused,
  h.uuid::text head, h.state head_state,
  case when e.state = 'asking'
    then (select count(*)::int from (select from dispatcher.envelope o where o.queue = e.queue and ${
  asks("o")
} and o.state = 'asking'
      and o.demand = e.demand and (o.priority, o.id) < (e.priority, e.id) limit 1000) before)
    else (select count(*)::int from (select from dispatcher.envelope o where o.queue = e.queue and ${
  ready("o")
} and o.state = 'available'
      and (o.priority, o.id) < (e.priority, e.id) limit 1000) before) end ahead,
  ${WAITED} waited,
  (select coalesce(json_agg(distinct r.node), '[]') from dispatcher.envelope r
    where ${held("r")} and r.state = 'running' and r.priority > e.priority and r.preempted < 3
      and r.options::text ~ '"preemptible" ?: ?true') victims
from dispatcher.envelope e
left join lateral (
  select h.uuid, h.state from dispatcher.envelope h where h.dedupe = e.dedupe and not h.blocked and h.uuid <> e.uuid limit 1
) h on true
where e.uuid = $1::uuid`;

/** Entries of the broadcast log, as envelopes that no node has a copy of yet. Index: broadcast_uuid_key. */
export const BROADCASTS = `
select uuid::text, null origin, 'broadcast' queue, task, args, kwargs, options,
  case when ended then 'discarded' when due_at > clock_timestamp() then 'scheduled' else 'available' end state, priority,
  0 attempt, max_attempts, timeout, time_pub, created_at, due_at, null node, null::timestamptz claimed_at,
  case when ended then expires_at end finished_at, null::timestamptz cancel_at, null::json progress, null::json result,
  case when ended then json_build_object('name', 'Expired', 'message', 'No node took it in time') end error,
  '[]'::json attempts
from (select *, expires_at <= clock_timestamp() ended from dispatcher.broadcast where uuid between $1 and $2) b
order by id desc limit $3`;

/** Where the given uuids stand. Indexes: primary key, archive_uuid. */
export const OUTCOMES: string = `
select uuid::text, ${SHOWN_STATE}, null::json result, error from dispatcher.envelope where uuid = any($1::uuid[])
union all
select uuid::text, state, result, error from dispatcher.archive where uuid = any($1::uuid[])`;

/** What stands in each queue. */
export const QUEUES = `
select coalesce(c.queue, q.name) queue, coalesce(scheduled, 0) scheduled, coalesce(available, 0) available,
  coalesce(running, 0) running, coalesce(retryable, 0) retryable, oldest_seconds, q.paused_at is not null paused
from (
  select queue,
    count(*) filter (where state = 'scheduled')::int scheduled,
    count(*) filter (where state in ('available', 'asking'))::int available,
    count(*) filter (where state = 'running')::int running,
    count(*) filter (where state = 'retryable')::int retryable,
    extract(epoch from clock_timestamp() - min(created_at) filter (where state in ('available', 'asking')))::float8
      oldest_seconds
  from dispatcher.envelope group by queue
) c full join dispatcher.queue q on q.name = c.queue
order by 1`;

/** Work that could run now, but for what asks for resources; and what an instance holds. Indexes: none, held_instance. */
export const WAITING: string = `
select (count(*) + (
  select count(*) from dispatcher.envelope
  where ${held("", "h.instance = $2::uuid")} and instance = $2::uuid and state = 'running'))::int n
from dispatcher.envelope
where queue = any($1::text[]) and state in ('available', 'scheduled', 'retryable')`;
