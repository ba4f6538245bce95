-- Settling and claiming, as a function: its statements are planned once a session, for any number of rows, and under
-- settings that leave each of them one way to its rows.

-- Settle what ended and claim what there is room for: one round trip, one commit, one fsync. Returns what was claimed, in
-- the order of claiming; of what was not settled the uuid alone; and last a row without uuid, whose id is the highest
-- that was given out, and whose `rare` is true when something in the queues asks for resources.
--
-- Settling is guarded by (uuid, fence, instance): whoever is stale settles nothing. What somebody asked to cancel is not
-- tried again. What is tried again comes first: a cancel that commits in between is seen by the second statement.
--
-- | what | why |
-- | --- | --- |
-- | force_generic_plan | planning for these very arrays takes a tenth of the time of a batch |
-- | no scan of the table, by blocks neither | a plan made when the table was empty is used when it is full |
-- | rows by uuid = any(…), state || '', is not distinct from | of the conditions only the first has an index, the primary key: a plan could walk all that the instance runs, or ever ran while an old transaction is open |
-- | hash joins where there is a choice | made for one row, a nested loop holds each row against each settlement, 500 times 500 |
-- | unnest() side by side in the list, not as a table of several | each array would be written down before it is read: 0.9 us a row |
--
-- Claims go queue by queue through LATERAL: queue = any(…) loses the order of the index (167 rows/s against 2,700 with
-- 150,000 waiting). MATERIALIZED keeps the LIMIT from being run twice. A queue may come in several parts, each of which
-- begins behind a place. Of many parts each gives a share, or all of them would lock what one claim takes (50 queues:
-- 4,300 rows/s, against 20,000). What was locked is found again by its place, without an index; a row that moved
-- meanwhile is left to the next claim.
--
-- JSON texts come as one text each, with a character between two that no JSON has: nothing in them is escaped.
-- Indexes: primary key, envelope_claim, envelope_asking.
create function dispatcher.exchange(
  queues text[], lows smallint[], pasts bigint[], highs smallint[], share int, most int, by_node text, by_instance uuid,
  uuids uuid[], fences int[], outcomes text[], record_texts text, result_texts text, error_texts text,
  progress_texts text, delays float8[], blames boolean[], workers text[], starts float8[], ends float8[])
returns table (uuid text, fence int, task text, queue text, args text, kwargs text, options text, attempt int,
  priority smallint, id bigint, rare json)
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
begin
  if outcomes && array['retry', 'released'] then
    with kept as (
      update dispatcher.envelope e set
        state = case when s.outcome = 'retry' or s.delay > 0 then 'retryable' else 'available' end,
        attempt = e.attempt - case s.outcome when 'released' then 1 else 0 end,
        due_at = case when s.outcome = 'retry' or s.delay > 0 then clock_timestamp() + s.delay * interval '1 second' end,
        solo = e.solo or s.blamed, error = coalesce(s.error, e.error), progress = coalesce(s.progress, e.progress),
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
    return query
    select u.uuid::text, null::int, null, null, null, null, null, null::int, null::smallint, null::bigint, null::json
    from (select unnest(uuids) except select unnest(again || over)) u (uuid);
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
    returning e.uuid::text, e.fence, e.task, e.queue, e.args::text, e.kwargs::text, e.options::text, e.attempt, e.priority,
      e.id,
      -- Few have any of these: a column costs the client as much as a short text.
      case when e.max_attempts is not null or e.timeout is not null or e.solo or e.origin is not null
        or e.dedupe is not null or e.forgiven <> 0
        then json_build_array(e.max_attempts, e.timeout, e.solo, e.origin, e.dedupe is not null, e.forgiven) end
  )
  select * from claimed
  union all
  select null, null, null, null, null, null, null, null, null, last_value, case when exists (
    select from dispatcher.envelope e where e.queue = any(queues) and e.state = 'asking') then 'true'::json end
  from dispatcher.envelope_id_seq
  order by 9, 10;
end $$;
