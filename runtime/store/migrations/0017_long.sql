-- As in 0015_columns.sql, but for content that is long where it is stored: it is read from its row at the end, not carried
-- through what is written down of the claims, a temporary file beyond work_mem. Of 10 kB each the claim took 37 us so, 18
-- without. What is long only once it is unpacked goes the former way, since its length is not known before.
create or replace function dispatcher.exchange(
  queues text[], lows smallint[], pasts bigint[], highs smallint[], share int, most int, by_node text, by_instance uuid,
  uuids uuid[], fences int[], outcomes text[], record_texts text, result_texts text, error_texts text,
  progress_texts text, delays float8[], blames boolean[], workers text[], starts float8[], ends float8[], long int)
returns table (uuid text, fence text, priority text, id text, queue text, task text, args text, kwargs text,
  options text, rare text, stale text, last bigint, asking boolean)
language plpgsql
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  records json[] := string_to_array(record_texts, e'\x1e', '')::json[];
  results json[] := string_to_array(result_texts, e'\x1e', '')::json[];
  errors json[] := string_to_array(error_texts, e'\x1e', '')::json[];
  progresses json[] := string_to_array(progress_texts, e'\x1e', '')::json[];
  again uuid[];
  over uuid[];
  unsettled text;
  several boolean := exists (select from unnest(queues) q where q <> queues[1]);
begin
  if outcomes && array['retry', 'released'] then
    with kept as (
      update dispatcher.envelope e set
        state = case when s.outcome = 'retry' or s.delay > 0 then 'retryable' else 'available' end,
        attempt = e.attempt - case s.outcome when 'released' then 1 else 0 end,
        due_at = case when s.outcome = 'retry' or s.delay > 0 then clock_timestamp() + s.delay * interval '1 second' end,
        solo = e.solo or coalesce(s.blamed, false), error = coalesce(s.error, e.error), progress = coalesce(s.progress, e.progress),
        attempts = case when s.record is null then e.attempts else e.attempts || s.record end,
        node = null, instance = null, claimed_at = null
      from (
        select unnest(uuids) uuid, unnest(fences) fence, unnest(outcomes) outcome, unnest(records) record,
          unnest(errors) error, unnest(progresses) progress, unnest(delays) delay, unnest(blames) blamed) s
      where e.uuid = any(uuids) and e.uuid = s.uuid and e.fence = s.fence
        and s.outcome in ('retry', 'released') and e.cancel_at is null
        and e.instance is not distinct from by_instance and e.state || '' = 'running'
      returning e.uuid)
    select array_agg(uuid) into again from kept;
  end if;

  if cardinality(uuids) > coalesce(cardinality(again), 0) then
    with final as (
      delete from dispatcher.envelope e
      using (
        select unnest(uuids) uuid, unnest(fences) fence, unnest(outcomes) outcome, unnest(records) record,
          unnest(results) result, unnest(errors) error, unnest(progresses) progress, unnest(workers) worker,
          unnest(starts) started, unnest(ends) ended) s
      where e.uuid = any(uuids) and e.uuid = s.uuid and e.fence = s.fence
        and (s.outcome not in ('retry', 'released') or e.cancel_at is not null)
        and e.instance is not distinct from by_instance and e.state || '' = 'running'
      returning e.uuid, e.origin, e.queue, e.task, e.args, e.kwargs, e.options, e.priority, e.attempt, e.max_attempts,
        e.timeout, e.time_pub, e.created_at, e.node, e.claimed_at, e.progress, e.error, e.attempts, e.fence, e.solo,
        e.forgiven, e.dedupe, e.discard_reason, s.outcome, s.record, s.result, s.error new_error,
        s.progress new_progress, s.worker, s.started, s.ended,
        e.discard_reason is not null and s.outcome not in ('completed', 'discarded') given_up
    ), archived as (
      insert into dispatcher.archive (uuid, origin, queue, task, args, kwargs, options, state, priority, attempt,
        max_attempts, timeout, time_pub, created_at, node, claimed_at, finished_at, progress, result, error, attempts,
        fence, solo, forgiven, dedupe, worker, started_at, ended_at)
      select uuid, origin, queue, task, args, kwargs, options,
        case when given_up then 'discarded' when outcome in ('retry', 'released') then 'cancelled' else outcome end,
        priority, attempt, max_attempts, timeout, time_pub, created_at, node, claimed_at, clock_timestamp(),
        coalesce(new_progress, progress), result, case
          when given_up then json_build_object('name', 'Discarded', 'message', discard_reason)
          else coalesce(new_error, case when outcome <> 'completed' then error end) end,
        case when record is null then attempts else attempts || record end, fence, solo, forgiven, dedupe,
        worker, to_timestamp(started / 1000), to_timestamp(ended / 1000)
      from final
      returning uuid)
    select array_agg(uuid) into over from archived;
  end if;

  if cardinality(uuids) > coalesce(cardinality(again), 0) + coalesce(cardinality(over), 0) then
    unsettled := (
      select string_agg(u.uuid::text, e'\x1f')
      from (select unnest(uuids) except select unnest(again || over)) u (uuid));
  end if;

  return query
  with open as materialized (
    select e.place, e.priority, e.id
    from unnest(queues, lows, pasts, highs) q (name, low, past, high)
    cross join lateral (
      select e.ctid place, e.priority, e.id from dispatcher.envelope e
      where e.queue = q.name and e.state = 'available' and (e.priority, e.id) > (q.low, q.past) and e.priority <= q.high
      order by e.priority, e.id limit share for update skip locked
    ) e
    where not exists (select from dispatcher.queue p where p.name = q.name and p.paused_at is not null)
      -- Who has lost its name or its lease, and does not know it yet, would only run what is taken away again.
      and not exists (select from dispatcher.node n
        where n.name = by_node and (n.instance <> by_instance or n.state in ('stopped', 'lost')))
    order by e.priority, e.id limit most
  ), claimed as (
    update dispatcher.envelope e set state = 'running', attempt = e.attempt + 1, fence = e.fence + 1, node = by_node,
      instance = by_instance, claimed_at = clock_timestamp(), progress = null
    where e.ctid = any(array(select place from open))
    returning e.uuid, e.fence, e.priority, e.id, e.queue, e.task,
      case when pg_column_size(e.args) <= long then e.args::text else '' end args,
      case when pg_column_size(e.kwargs) <= long then e.kwargs::text else '' end kwargs,
      case when pg_column_size(e.options) <= long then e.options::text else '' end options,
      greatest(pg_column_size(e.args), pg_column_size(e.kwargs), pg_column_size(e.options)) > long far,
      -- Few have any of these.
      case when e.attempt <> e.fence or e.max_attempts is not null or e.timeout is not null or e.solo
        or e.origin is not null or e.dedupe is not null or e.forgiven <> 0
        then json_build_array(e.uuid, e.attempt, e.max_attempts, e.timeout, e.solo, e.origin, e.dedupe is not null,
          e.forgiven)::text end rare
  ), sheet as (
    select string_agg(uuid::text, e'\x1f') uuid, array_agg(fence)::text fence, array_agg(priority)::text priority,
      array_agg(id)::text id, string_agg(queue, e'\x1f') filter (where several) queue,
      string_agg(replace(task, e'\x1f', ' '), e'\x1f') task,
      string_agg(case when is_long then '' else args end, e'\x1f') args,
      string_agg(case when is_long then '' else kwargs end, e'\x1f') kwargs,
      string_agg(case when is_long then '' else options end, e'\x1f') options,
      string_agg(rare, ',') filter (where rare is not null) rare, bool_or(is_long) any_long, bool_or(far) any_far
    from (
      select c.*, octet_length(args) + octet_length(kwargs) + octet_length(options) > long or far is_long from claimed c
      order by priority, id) c
  )
  select uuid, fence, priority, id, queue, task, args, kwargs, options, rare, unsettled,
    (select last_value from dispatcher.envelope_id_seq), exists (
      select from dispatcher.envelope e where e.queue = any(queues) and e.state = 'asking')
  from sheet
  union all
  select uuid::text, null, null, null, null, null, args, kwargs, options, null, null, null, null
  from claimed
  where (select any_long from sheet) and not far
    and octet_length(args) + octet_length(kwargs) + octet_length(options) > long
  union all
  -- As it was when the statement began; claiming changes none of this.
  select e.uuid::text, null, null, null, null, null, e.args::text, e.kwargs::text, e.options::text, null, null, null, null
  from dispatcher.envelope e
  where (select any_far from sheet) and e.ctid = any(array(select place from open))
    and greatest(pg_column_size(e.args), pg_column_size(e.kwargs), pg_column_size(e.options)) > long;
end $$;
