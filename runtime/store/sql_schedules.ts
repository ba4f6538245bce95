/**
 * The statements of schedules.
 *
 * @module
 */

const SCHEDULE =
  `name, task, args, kwargs, queue, options, every, cron, timezone, catch_up, enabled, next_at, last_at,
  last_uuid::text`;

/** All schedules. */
export const SCHEDULES = `select ${SCHEDULE} from dispatcher.schedule order by name`;

/** Write a schedule as it is configured. What a person paused stays paused. By way of text: the
 * client would encode a parameter of type json once more. */
export const PUT_SCHEDULE = `
insert into dispatcher.schedule as s
  (name, task, args, kwargs, queue, options, every, cron, timezone, catch_up, enabled, next_at)
values ($1, $2, $3::text::json, $4::text::json, $5, $6::text::json, $7::float8, $8, $9, $10, $11, $12::timestamptz)
on conflict (name) do update set
  task = excluded.task, args = excluded.args, kwargs = excluded.kwargs, queue = excluded.queue,
  options = excluded.options, every = excluded.every, cron = excluded.cron, timezone = excluded.timezone,
  catch_up = excluded.catch_up, enabled = s.enabled and excluded.enabled,
  next_at = case when (s.every, s.cron, s.timezone) is distinct from (excluded.every, excluded.cron, excluded.timezone)
    then excluded.next_at else coalesce(s.next_at, excluded.next_at) end,
  updated_at = clock_timestamp()`;

/** Pause or resume; what is resumed goes on from now. */
export const ENABLE_SCHEDULE = `
update dispatcher.schedule set enabled = $2, next_at = $3::timestamptz, updated_at = clock_timestamp() where name = $1`;

/** The schedules that are due, under their locks. Index: schedule_due. */
export const DUE_SCHEDULES = `
select ${SCHEDULE}, clock_timestamp() now from dispatcher.schedule
where enabled and next_at <= clock_timestamp() order by next_at limit 100 for update skip locked`;

/** Move a schedule on. */
export const TICKED = `
update dispatcher.schedule set next_at = $2::timestamptz,
  last_at = case when $3::uuid is null then last_at else clock_timestamp() end, last_uuid = coalesce($3::uuid, last_uuid)
where name = $1`;

/** Seconds until the next tick. Index: schedule_due. */
export const NEXT_TICK = `
select extract(epoch from min(next_at) - clock_timestamp())::float8 as next from dispatcher.schedule where enabled`;
