/**
 * The statements of schedules.
 *
 * @module
 */

const SCHEDULE =
  `name, 'cluster' scope, null::json nodes, task, args, kwargs, queue, options, every, cron, timezone, catch_up, enabled, next_at, last_at,
  last_uuid::text`;

/** The schedules of the cluster. */
export const SCHEDULES = `select ${SCHEDULE} from dispatcher.schedule order by name`;

/**
 * Those of scope node, each as the text that live nodes have told of it: a string in JSON, since JSON of ours may have
 * what no function of PostgreSQL reads. What an instance of before has told is not this one's.
 */
export const NODE_SCHEDULES = `
select told.value told, json_agg(n.name order by n.name) nodes
from dispatcher.node n, json_array_elements_text(n.schedules -> 'schedules') told
where n.state in ('running', 'draining') and n.lease_until > clock_timestamp()
  and n.schedules ->> 'instance' = n.instance::text
group by told.value`;

/**
 * Write schedules as they are configured. What a person paused stays paused; what the file paused goes on from now when
 * the file enables it. By way of text: the client would encode a parameter of type json once more.
 */
export const PUT_SCHEDULES = `
insert into dispatcher.schedule as s
  (name, task, args, kwargs, queue, options, every, cron, timezone, catch_up, enabled, next_at,
  paused_by_file)
select name, task, args, kwargs, queue, options, every, cron, timezone, catch_up, enabled, next_at, not enabled
from unnest($1::text[], $2::text[], $3::text[]::json[], $4::text[]::json[], $5::text[], $6::text[]::json[], $7::float8[],
  $8::text[], $9::text[], $10::text[], $11::boolean[], $12::timestamptz[])
  u (name, task, args, kwargs, queue, options, every, cron, timezone, catch_up, enabled, next_at)
on conflict (name) do update set
  task = excluded.task, args = excluded.args, kwargs = excluded.kwargs, queue = excluded.queue,
  options = excluded.options, every = excluded.every, cron = excluded.cron, timezone = excluded.timezone,
  catch_up = excluded.catch_up, enabled = excluded.enabled and (s.enabled or s.paused_by_file),
  paused_by_file = not excluded.enabled and (s.enabled or s.paused_by_file),
  next_at = case when s.paused_by_file and excluded.enabled
      or (s.every, s.cron, s.timezone) is distinct from (excluded.every, excluded.cron, excluded.timezone)
    then excluded.next_at else coalesce(s.next_at, excluded.next_at) end,
  updated_at = clock_timestamp()`;

/** The database's clock, by which all schedules go. */
export const NOW = `select clock_timestamp() now`;

/** Pause or resume, as a person wants it, whatever the file says; what is resumed goes on from now. */
export const ENABLE_SCHEDULE = `
update dispatcher.schedule set enabled = $2, paused_by_file = false, next_at = $3::timestamptz, updated_at = clock_timestamp() where name = $1`;

/** The schedules that are due. Index: schedule_due. */
export const DUE_SCHEDULES = `
select ${SCHEDULE}, clock_timestamp() now from dispatcher.schedule
where enabled and next_at <= clock_timestamp() order by next_at limit 100`;

/**
 * Move a schedule on and publish its ticks, if nobody has moved it meanwhile: of two leaders one finds another
 * next_at than it has read, and publishes nothing. Index: primary key.
 */
export const TICK = `
with moved as (
  update dispatcher.schedule set next_at = $3::timestamptz,
    last_at = case when $4::uuid is null then last_at else clock_timestamp() end,
    last_uuid = coalesce($4::uuid, last_uuid)
  where name = $1 and date_trunc('milliseconds', next_at) = $2::timestamptz and enabled
  returning name
)
select dispatcher.put(uuid, null, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub,
  null::timestamptz, null)::text uuid
from moved, unnest($5::uuid[], $6::text[], $7::text[], $8::json[], $9::json[], $10::json[], $11::smallint[],
  $12::int[], $13::float8[], $14::float8[], $15::float8[], $16::float8[])
  u (uuid, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, delay, at)`;

/** Seconds until the next tick. Index: schedule_due. */
export const NEXT_TICK = `
select extract(epoch from min(next_at) - clock_timestamp())::float8 as next from dispatcher.schedule where enabled`;
