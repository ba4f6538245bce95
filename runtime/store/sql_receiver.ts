/**
 * The statements of the callback receiver, on the control plane's tables (schema `awx`). Texts come in one parameter a
 * column, with a separator that none of them has: as quoted arrays they cost the client twice as much.
 *
 * @module
 */

/** Whether the tables are there. */
export const READY =
  `select to_regclass('awx.job_event') is not null and to_regclass('awx.receiver') is not null as ready`;

/**
 * Write events, those of jobs that exist. Returns which of the jobs exist and how many rows are new. Unnested in the list
 * of columns, side by side: as a table they would be written to a store first, which costs a sixth of all (bench/README.md,
 * receiver). Compared by `is true`, so that it stays a hashed look and becomes no nested loop.
 * Indexes: primary keys of unified_job and of the day's partition.
 */
const writeEvents = (conflict: string) => `
with job as materialized (
  select id from awx.unified_job where id = any($1::bigint[])
), written as (
  insert into awx.job_event (job_id, uuid, counter, event, created, host, play, task, role, failed, changed,
    start_line, end_line, stdout, event_data)
  select job_id, uuid, counter, event, created, coalesce(host, ''), coalesce(play, ''), coalesce(task, ''),
    coalesce(role, ''), failed, changed, start_line, end_line, coalesce(stdout, ''),
    case when whole then (data::json -> 'event_data')::jsonb else data::jsonb end
  from (select unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::int[]),
    unnest(string_to_array($6::text, $2::text)), unnest($7::timestamptz[]),
    unnest(string_to_array($8::text, $2::text)), unnest(string_to_array($9::text, $2::text)),
    unnest(string_to_array($10::text, $2::text)), unnest(string_to_array($11::text, $2::text)),
    unnest($12::boolean[]), unnest($13::boolean[]), unnest($14::int[]), unnest($15::int[]),
    unnest(string_to_array($16::text, $2::text)), unnest(string_to_array($17::text, $2::text)), unnest($18::boolean[]))
    e (job_id, uuid, counter, event, created, host, play, task, role, failed, changed, start_line, end_line, stdout,
      data, whole)
  where (job_id in (select id from job)) is true ${conflict}
  returning 1
)
select array_to_string(array(select id from job), ',') as jobs, (select count(*) from written)::int as written`;

/** Fails when one of them is there already; an eighth cheaper. */
export const WRITE_NEW_EVENTS: string = writeEvents("");
/** Leaves what is there as it is. */
export const WRITE_EVENTS: string = writeEvents("on conflict do nothing");

/** Set events aside; what was already is left. Index: the digest's. */
export const SET_ASIDE = `
with written as (
  insert into awx.job_event_set_aside (job_id, event, reason, tries)
  select job_id, coalesce(event, ''), coalesce(reason, ''), tries
  from unnest($2::bigint[], string_to_array($3::text, $1::text), string_to_array($4::text, $1::text), $5::int[])
    e (job_id, event, reason, tries)
  on conflict (digest) do nothing
  returning 1
)
select count(*)::int as written from written`;

/** Keep what a playbook's end says of its hosts. */
export const WRITE_STATS = `
update awx.unified_job j set host_status_counts = s.counts::jsonb
from unnest($2::bigint[], string_to_array($3::text, $1::text)) s (job_id, counts)
where j.id = s.job_id`;

/** Note the ends of streams that are open; returns which of the jobs exist. */
export const WRITE_EOF = `
with job as materialized (
  select id, events_closed_at from awx.unified_job where id = any($1::bigint[])
), noted as (
  insert into awx.job_event_eof (job_id, final_counter)
  select job_id, max(final_counter) from unnest($1::bigint[], $2::int[]) e (job_id, final_counter)
  where job_id in (select id from job where events_closed_at is null)
  group by job_id order by job_id
  on conflict (job_id) do update set final_counter = greatest(job_event_eof.final_counter, excluded.final_counter)
)
select array_to_string(array(select id from job), ',') as jobs`;

/**
 * Close the streams of which everything is there, written or set aside, or whose end came so many seconds ago. Locks the
 * job's row, so that of "final" and "closed" the second one is seen to be it: then this publishes the notification.
 * Indexes: job_event_order of each partition, job_event_set_aside_job.
 */
export const CLOSE_STREAMS = `
with eof as materialized (
  select job_id, final_counter, at from awx.job_event_eof order by at, job_id limit 1000 for update skip locked
), seen as (
  select *, (select count(*) from awx.job_event e where e.job_id = eof.job_id)
    + (select count(*) from awx.job_event_set_aside s where s.job_id = eof.job_id) as events
  from eof
), complete as materialized (
  select job_id, final_counter, least(events, final_counter) as events from seen
  where events >= final_counter or at < clock_timestamp() - $1::float8 * interval '1 second'
), forgotten as (
  delete from awx.job_event_eof where job_id in (select job_id from complete)
), closed as (
  update awx.unified_job j set events_closed_at = clock_timestamp(), emitted_events = c.final_counter,
    job_explanation = case when c.events >= c.final_counter then j.job_explanation else concat_ws(' ',
      nullif(j.job_explanation, ''),
      format('%s of %s events did not arrive.', c.final_counter - c.events, c.final_counter)) end
  from complete c where j.id = c.job_id and j.events_closed_at is null
  returning j.id, j.status, c.events, c.final_counter
)
select id, events, final_counter,
  case when status in ('successful', 'failed', 'error', 'canceled') then dispatcher.publish(
    'notifications/send_notifications', json_build_array(id, event), options => json_build_object('max_attempts', 6, 'uuid',
      encode(set_byte(set_byte(hash, 6, get_byte(hash, 6) & 15 | 128), 8, get_byte(hash, 8) & 63 | 128), 'hex')::uuid))
  end as notification
from closed
cross join lateral (select case status when 'successful' then 'success' else 'error' end as event) k
cross join lateral (
  select substr(sha256(convert_to(format('awx.notification:%s:%s', id, event), 'UTF8')), 1, 16) as hash) h`;

/**
 * Take the oldest events out of the queue, up to so many bytes of them (one at least); a rollback brings them back.
 * Index: primary key, then by place.
 */
export const TAKE_QUEUED = `
with held as materialized (
  select ctid as place, id, octet_length(payload) as bytes
  from awx.job_event_queue order by id limit $1::int for update skip locked
)
delete from awx.job_event_queue where ctid = any (array(
  select place from (select place, sum(bytes) over (order by id) - bytes as before from held) h
  where before < $2::bigint))
returning id, payload`;

/** How many wait, up to a bound. */
export const COUNT_QUEUED =
  `select count(*)::int as waiting from (select from awx.job_event_queue limit $1::int) q`;

export const CREATE_PARTITIONS =
  `set local lock_timeout = '200ms'; select awx.create_event_partitions(3) as created`;

/** A receiver tells of itself; those that have been silent for a day are forgotten. */
export const REPORT = `
with gone as (
  delete from awx.receiver where name <> $1 and last_seen < clock_timestamp() - interval '1 day'
)
insert into awx.receiver (name, pid, host, source, started_at, popped, saved, set_aside, in_memory, queue_size, lag_p95)
values ($1, $2::int, $3, $4, $5::timestamptz, $6::bigint, $7::bigint, $8::bigint, $9::int, $10::bigint, $11::float8)
on conflict (name) do update set pid = excluded.pid, host = excluded.host, source = excluded.source,
  started_at = excluded.started_at, last_seen = clock_timestamp(), popped = excluded.popped, saved = excluded.saved,
  set_aside = excluded.set_aside, in_memory = excluded.in_memory, queue_size = excluded.queue_size,
  lag_p95 = excluded.lag_p95`;

export const LEAVE = `delete from awx.receiver where name = $1 and pid = $2::int`;

/** Whether there is anything to look at. */
export const HAS_RECEIVERS = `select to_regclass('awx.receiver') is not null as there`;

/** The receivers, those first that were heard of last. */
export const RECEIVERS = `
select name, pid, host, source, started_at, last_seen, popped::float8, saved::float8, set_aside::float8, in_memory,
  queue_size::float8, lag_p95, last_seen > clock_timestamp() - interval '10 seconds' as alive
from awx.receiver order by alive desc, name limit 100`;

/** What was set aside last. Index: primary key. */
export const LAST_SET_ASIDE = `
select id::float8, job_id::float8, left(event, 200) as event, reason, tries, at
from awx.job_event_set_aside order by id desc limit $1::int`;
