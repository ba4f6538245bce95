/**
 * The statements of the rollup.
 *
 * @module
 */

/** Add what a node did. By way of text: the client would encode a parameter of type json once more. */
export const ROLL = `
insert into dispatcher.rollup (minute, node, queue, published, claimed, completed, retry, cancelled, discarded,
  released, wait, duration, busy_seconds, slot_seconds)
select date_trunc('minute', clock_timestamp() - age * interval '1 second'), $1, queue, published, claimed, completed,
  retry, cancelled, discarded, released, wait, duration, busy_seconds, slot_seconds
from json_to_recordset($2::text::json) r (age float8, queue text, published int, claimed int, completed int, retry int,
  cancelled int, discarded int, released int, wait int[], duration int[], busy_seconds float8, slot_seconds float8)`;

/** Add what stands in the queues; reads all that is not final, once a minute in a cluster. */
export const ROLL_STATES = `
insert into dispatcher.rollup (minute, queue, scheduled, available, running, retryable, oldest_seconds)
select date_trunc('minute', clock_timestamp() - $1::float8 * interval '1 second'), queue,
  count(*) filter (where state = 'scheduled'), count(*) filter (where state in ('available', 'asking')),
  count(*) filter (where state = 'running'), count(*) filter (where state = 'retryable'),
  extract(epoch from clock_timestamp() - min(created_at) filter (where state in ('available', 'asking')))
from dispatcher.envelope group by queue`;

/**
 * Sum up by points. Two leaders within a minute both write the states: of a queue and minute the larger counts.
 * Index: rollup_minute.
 */
export const ROLLED = `
with r as materialized (
  select *, floor(extract(epoch from minute) / $2::float8)::float8 * $2::float8 as at from dispatcher.rollup
  where minute >= to_timestamp(floor((extract(epoch from clock_timestamp())::float8 - $1::float8) / $2::float8)
      * $2::float8)
    and ($3::text is null or queue = $3 or queue is null)
), done as (
  select at, sum(published)::float8 published, sum(claimed)::float8 claimed, sum(completed)::float8 completed,
    sum(retry)::float8 retry, sum(cancelled)::float8 cancelled, sum(discarded)::float8 discarded,
    sum(released)::float8 released, sum(busy_seconds) busy_seconds, sum(slot_seconds) slot_seconds
  from r where node is not null group by at
), waits as (
  select at, json_object_agg(bucket - 1, n) wait from (
    select at, bucket, sum(n) n from r, unnest(wait) with ordinality u (n, bucket) group by at, bucket) w
  group by at
), durations as (
  select at, json_object_agg(bucket - 1, n) duration from (
    select at, bucket, sum(n) n from r, unnest(duration) with ordinality u (n, bucket) group by at, bucket) d
  group by at
), stood as (
  select at, sum(scheduled)::float8 scheduled, sum(available)::float8 available, sum(running)::float8 running,
    sum(retryable)::float8 retryable, max(oldest_seconds) oldest_seconds
  from (
    select at, minute, queue, max(scheduled) scheduled, max(available) available, max(running) running,
      max(retryable) retryable, max(oldest_seconds) oldest_seconds
    from r where node is null group by at, minute, queue) s
  group by at
)
select at, extract(epoch from clock_timestamp())::float8 now, published, claimed, completed, retry, cancelled,
  discarded, released, busy_seconds, slot_seconds, wait, duration, scheduled, available, running, retryable,
  oldest_seconds
from (select distinct at from r union all select null) points
  left join done using (at) left join waits using (at) left join durations using (at) left join stood using (at)
order by at`;

/** Index: rollup_minute. */
export const PRUNE_ROLLUP = `
delete from dispatcher.rollup where minute < clock_timestamp() - $1::float8 * interval '1 day'`;
