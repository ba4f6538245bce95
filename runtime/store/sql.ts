/**
 * The statements of an envelope's life, by name, with the index each needs; those of publishing, of nodes, of schedules
 * and of those who look stand in files beside this one. Parameters are positional; arrays travel
 * as PostgreSQL array literals.
 *
 * @module
 */
import { WHOLE } from "./sql_look.ts";
import { held } from "./sql_rows.ts";

/** Tell the nodes of these queues that there is work; committed already, see the function. */
export const WAKE = `select dispatcher.rouse($1::text[]) quiet`;

/**
 * Settle and claim in one round trip, one commit, one fsync; or only one of the two. What it does, and why it is a
 * function: 0013_exchange.sql, and 0024_small_exchanges.sql, which is what it is now.
 */
export const EXCHANGE = `
select * from dispatcher.exchange($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`;

/**
 * Give back what an instance does not know that it holds, and tell of which somebody had asked for the end. By fence,
 * too: of an envelope that it gave back and that a lost answer claimed again it knows only the claim before. One UPDATE:
 * with an arm for those to be cancelled, a cancel under way would hide a row from both. Indexes: held_instance, primary key.
 */
export const RECONCILE: string = `
update dispatcher.envelope set state = 'available', attempt = attempt - 1, node = null, instance = null,
  claimed_at = null, aside = false
where ${held("", "h.instance = $1::uuid")} and instance = $1::uuid and state = 'running'
  and (uuid, fence) not in (select * from unnest($2::uuid[], $3::int[]))
returning uuid::text, cancel_at is not null cancelled`;

/**
 * Keep the progress of a running attempt. By way of text: the client would encode a parameter of type json once
 * more. Index: primary key.
 */
export const PROGRESS = `
update dispatcher.envelope set progress = $4::text::json
where uuid = $1::uuid and fence = $2 and instance = $3::uuid and state = 'running'`;

/** Copy the broadcasts a node has not had into its own queue, in their order. Index: delivery_pkey. */
export const DELIVER = `
with due as materialized (
  select b.* from dispatcher.broadcast b join dispatcher.node n on n.name = $1
  where b.expires_at > clock_timestamp() and b.created_at >= n.joined_at
    and not exists (select from dispatcher.delivery d where d.broadcast = b.uuid and d.node = $1)
  order by b.id limit 1000
), mark as (
  insert into dispatcher.delivery (broadcast, node) select uuid, $1 from due
  on conflict do nothing returning broadcast
)
select dispatcher.put(md5(due.uuid::text || '/' || $1)::uuid, due.uuid, $1, task, args, kwargs, options, priority,
  max_attempts, timeout, time_pub, case when due_at > clock_timestamp() then due_at end, null)
from due join mark on mark.broadcast = due.uuid
order by due.id`;

/**
 * Adopt messages from the wire: of all nodes that hear one, the first to write its uuid makes the row. One
 * without a uuid goes to the first live node by name that consumes the queue. Index: adoption_pkey.
 */
export const ADOPT = `
with heard as materialized (
  select u.* from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::json[], $7::json[], $8::json[],
    $9::smallint[], $10::int[], $11::float8[], $12::float8[], $13::float8[], $14::boolean[]) with ordinality
    u (uuid, origin, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, delay, anonymous,
      place)
), mine as (
  insert into dispatcher.adoption (uuid)
  select uuid from heard
  where not anonymous or queue = $1 or $1 = (
    select min(n.name) from dispatcher.node n
    where n.lease_until > clock_timestamp() and n.state = 'running' and heard.queue = any(n.queues))
  order by uuid -- nodes that wait for each other in different orders would be a deadlock
  on conflict do nothing
  returning uuid
), written as materialized (
  -- Row by row: what is taken back must be gone before the next one of its key is written.
  select uuid, got = uuid and not dispatcher.forget_known(uuid) taken from (
    select uuid, dispatcher.put(uuid, origin, queue, task, args, kwargs, options, priority, max_attempts, timeout,
      time_pub, case when delay > 0 then clock_timestamp() + delay * interval '1 second' end, $1) got
    from (select heard.* from heard join mine using (uuid) order by place) h
    offset 0
  ) put
)
select uuid from written where taken`;

/**
 * Make available what is due, and tell when the next one is. The time is a subquery: as a function that changes it would
 * not bound the walk, which would pass over all that is due later. Index: envelope_due.
 */
export const STAGE = `
with due as materialized (
  select uuid from dispatcher.envelope
  where state in ('scheduled', 'retryable') and due_at <= (select clock_timestamp()) and not blocked
  order by due_at limit $1 for update skip locked
), staged as (
  update dispatcher.envelope e set state = 'available', due_at = null
  where e.uuid = any(array(select uuid from due))
  returning e.queue
)
select coalesce((select json_agg(distinct queue) from staged), '[]') queues, (select count(*) from due)::int staged,
  (select extract(epoch from min(due_at) - clock_timestamp())::float8 from dispatcher.envelope
    where state in ('scheduled', 'retryable') and due_at > (select clock_timestamp())) as next,
  exists (select from dispatcher.envelope where dedupe is not null) keyed`;

/**
 * Let the next envelope of a key go where no head is left. Two stagers at once choose the same row, and the one that
 * finds it locked chooses none. Index: envelope_dedupe.
 */
export const PROMOTE = `
with chosen as materialized (
  select distinct on (b.dedupe) b.uuid from dispatcher.envelope b
  where b.dedupe is not null and b.blocked and (b.due_at is null or b.due_at <= clock_timestamp())
    and not exists (select from dispatcher.envelope h where h.dedupe = b.dedupe and not h.blocked)
  order by b.dedupe, b.priority, b.id
), locked as (
  select uuid from dispatcher.envelope where uuid in (select uuid from chosen) and blocked for update skip locked
)
update dispatcher.envelope e set state = 'available', blocked = false, due_at = null
from locked where e.uuid = locked.uuid
returning e.queue`;

const cancelling = (lock: string) => `
with held as materialized (
  select uuid, state from dispatcher.envelope where uuid = any($1::uuid[]) for update${lock}
), gone as (
  delete from dispatcher.envelope where uuid in (select uuid from held where state <> 'running') returning *
), archived as (
  insert into dispatcher.archive (uuid, origin, queue, task, args, kwargs, options, state, priority, attempt,
    max_attempts, timeout, time_pub, created_at, finished_at, progress, error, attempts, fence, solo, forgiven, dedupe)
  select uuid, origin, queue, task, ${WHOLE}, options, 'cancelled', priority, attempt, max_attempts, timeout,
    time_pub, created_at, clock_timestamp(), progress, error, attempts, fence, solo, forgiven, dedupe from gone
), asked as (
  update dispatcher.envelope set cancel_at = coalesce(cancel_at, clock_timestamp())
  where uuid in (select uuid from held where state = 'running') returning uuid, node
)
select uuid::text, 'cancelled' did, null node from gone
union all select uuid::text, 'requested', node from asked
union all select uuid::text, state, node from dispatcher.archive where uuid = any($1::uuid[])`;

/**
 * End what has not begun, and ask for the end of what runs. One at a time: it waits for whoever has locked it, and
 * would be a deadlock with an exchange if it held others meanwhile. Indexes: primary key, archive_uuid.
 */
export const CANCEL: string = cancelling("");
/** The same for many, without those that somebody has locked. */
export const CANCEL_FREE: string = cancelling(" skip locked");

/** Housekeeping of the small tables, and of days that had no partition when they came. */
export const PRUNE_SMALL = `
with a as (delete from dispatcher.adoption where at < clock_timestamp() - interval '1 hour'),
  b as (delete from dispatcher.broadcast where expires_at < clock_timestamp()),
  n as (delete from dispatcher.node where state in ('stopped', 'lost')
    and last_seen < clock_timestamp() - interval '7 days'),
  d as (delete from dispatcher.audit where at < clock_timestamp() - $1::float8 * interval '1 day'),
  c as (delete from dispatcher.on_call where not exists (
    select from dispatcher.node n where n.instance = on_call.instance and n.state in ('running', 'draining'))),
  l as (delete from dispatcher.log where at < clock_timestamp() - $1::float8 * interval '1 day')
delete from dispatcher.archive_default where finished_at < clock_timestamp() - $1::float8 * interval '1 day'`;

/** The first day of which content is kept, of $1 days' retention: what was published before is archived, and pruned there. */
const CONTENT_BOUND =
  "to_char((now() at time zone 'utc')::date - $1::float8 * interval '1 day' - interval '2 days', 'YYYYMMDD')";

/** The same of content: what came when its day had no partition, and nothing that waits refers to. */
export const PRUNE_CONTENTS: string = `
delete from dispatcher.content_default c where day < (${CONTENT_BOUND})::int and not exists (
  select from dispatcher.envelope e where e.args::text = '{"content":"' || c.id || '","day":' || c.day || '}')`;

/** Put content back into envelopes that refer to a day before one: it goes with that day. Index: none. */
export const RETURN_CONTENTS: string = `
with held as materialized (
  select uuid from dispatcher.envelope
  where starts_with(args::text, '{"content":"') and substring(args::text from 57 for 8) < ${CONTENT_BOUND}
  limit $2 for update skip locked
)
update dispatcher.envelope set args = dispatcher.args_of(args), kwargs = dispatcher.kwargs_of(args, kwargs)
where uuid = any(array(select uuid from held))
returning not starts_with(args::text, '{') returned`;

/**
 * Partitions that are older than the retention, of the archive by their last day, and of content by its first day.
 */
export const OLD_PARTITIONS: string = `
select c.relname name, p.relname of
from (select ${CONTENT_BOUND} bound) b
cross join pg_class p
join pg_inherits i on i.inhparent = p.oid
join pg_class c on c.oid = i.inhrelid
where p.oid in ('dispatcher.archive'::regclass, 'dispatcher.content'::regclass)
  and case when c.relname ~ '^archive_[0-9]{8}$'
    then to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (now() at time zone 'utc')::date - $1::float8 * interval '1 day'
    when c.relname ~ '^content_[0-9]{8}$' then right(c.relname, 8) < bound else false end
order by 1`;
