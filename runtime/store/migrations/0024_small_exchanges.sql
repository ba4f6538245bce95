-- An exchange of a few envelopes, and one that only settles, are most of what a node does unless it is very busy; and 0.6 ms
-- of each was spent before the first row was looked at, a third of it on what is rarely needed.
--
-- | part | runs |
-- | --- | --- |
-- | what is tried again or given back | where there is any, as before |
-- | what has ended | where there is any, as before |
-- | the claim | unless the node has no room: it is over then, and says 0 for the last number |
-- | content that is long, or lies apart from a node that cannot fetch it | where a claim has found any: a statement of its own |

-- As in 0022_bounded_claims.sql, in parts that run only where there is something for them.
create or replace function dispatcher.exchange(
  queues text[], lows smallint[], pasts bigint[], highs smallint[], share int, most int, by_node text, by_instance uuid,
  uuids uuid[], fences int[], outcomes text[], record_texts text, result_texts text, error_texts text,
  progress_texts text, delays float8[], blames boolean[], workers text[], starts float8[], ends float8[], long int, budget bigint)
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
  verdicts text[] := case when cardinality(outcomes) = 1
    then array_fill(outcomes[1], array[cardinality(uuids)]) else outcomes end;
  runners text[] := case when cardinality(workers) = 1
    then array_fill(workers[1], array[cardinality(uuids)]) else workers end;
  tidied_at timestamptz;
  again uuid[];
  over uuid[];
  day_ago timestamptz := clock_timestamp() - interval '1 day';
  several boolean := case when cardinality(queues) > 1 then queues <> array_fill(queues[1], array[cardinality(queues)]) else false end;
  longs uuid[];
  fars uuid[];
  referring uuid[];
  said text;
begin
  if outcomes && array['retry', 'released'] then
    with kept as (
      update dispatcher.envelope e set
        state = case when s.outcome = 'retry' or s.delay > 0 then 'retryable' else 'available' end,
        attempt = e.attempt - case s.outcome when 'released' then 1 else 0 end,
        due_at = case when s.outcome = 'retry' or s.delay > 0 then clock_timestamp() + s.delay * interval '1 second' end,
        solo = e.solo or coalesce(s.blamed, false), error = coalesce(s.error, e.error), progress = coalesce(s.progress, e.progress),
        attempts = case when s.record is null then e.attempts else e.attempts || s.record end,
        node = null, instance = null, claimed_at = null, aside = false
      from (
        select unnest(uuids) uuid, unnest(fences) fence, unnest(verdicts) outcome, unnest(records) record,
          unnest(errors) error, unnest(progresses) progress, unnest(delays) delay, unnest(blames) blamed) s
      where e.uuid = any(uuids) and e.uuid = s.uuid and e.fence = s.fence
        and s.outcome in ('retry', 'released') and e.cancel_at is null
        and e.instance = by_instance and e.state = 'running'
      returning e.uuid)
    select array_agg(uuid) into again from kept;
  end if;

  if cardinality(uuids) > coalesce(cardinality(again), 0) then
    with final as (
      delete from dispatcher.envelope e
      using (
        select unnest(uuids) uuid, unnest(fences) fence, unnest(verdicts) outcome, unnest(records) record,
          unnest(results) result, unnest(errors) error, unnest(progresses) progress, unnest(runners) worker,
          unnest(starts) started, unnest(ends) ended) s
      where e.uuid = any(uuids) and e.uuid = s.uuid and e.fence = s.fence
        and (s.outcome not in ('retry', 'released') or e.cancel_at is not null)
        and e.instance = by_instance and e.state = 'running'
      returning e.uuid, e.origin, e.queue, e.task, e.args, e.kwargs, e.options, e.priority, e.attempt, e.max_attempts,
        e.timeout, e.time_pub, e.created_at, e.node, e.claimed_at, e.progress, e.error, e.attempts, e.fence, e.solo,
        e.forgiven, e.dedupe, e.discard_reason, s.outcome, s.record, s.result, s.error new_error,
        s.progress new_progress, s.worker, s.started, s.ended,
        e.discard_reason is not null and s.outcome not in ('completed', 'discarded') given_up,
        s.outcome = 'completed' and s.ended is not null and s.record is null and cardinality(e.attempts) = 0
          and not e.solo and e.forgiven = 0 plain,
        e.created_at < day_ago aged
    ), archived as (
      insert into dispatcher.archive (uuid, origin, queue, task, args, kwargs, options, state, priority, attempt,
        max_attempts, timeout, time_pub, created_at, node, claimed_at, finished_at, progress, result, error, attempts,
        fence, solo, forgiven, dedupe, worker, started_at, ended_at)
      select uuid, origin, queue, task,
        -- What refers to a day long gone would be without its content before it is pruned itself.
        case when aged and starts_with(args::text, '{') then dispatcher.args_of(args) else args end,
        case when aged and starts_with(args::text, '{') then dispatcher.kwargs_of(args, kwargs) else kwargs end,
        options, case when given_up then 'discarded' when outcome in ('retry', 'released') then 'cancelled' else outcome end,
        priority, attempt, max_attempts, timeout, time_pub, created_at, node, claimed_at, clock_timestamp(),
        coalesce(new_progress, progress), result, case
          when given_up then json_build_object('name', 'Discarded', 'message', discard_reason)
          else coalesce(new_error, case when outcome <> 'completed' then error end) end,
        case when record is not null then attempts || record when not plain then attempts end, fence,
        case when not plain then solo end, case when not plain then forgiven end, dedupe,
        worker, to_timestamp(started / 1000), to_timestamp(ended / 1000)
      from final order by uuid
      returning uuid)
    select array_agg(uuid) into over from archived;
  end if;

  if cardinality(uuids) > coalesce(cardinality(again), 0) + coalesce(cardinality(over), 0) then
    stale := (
      select string_agg(u.uuid::text, e'\x1f')
      from (select unnest(uuids) except select unnest(again || over)) u (uuid));
  end if;

  if most = 0 then
    last := 0;
    asking := false;
    return next;
    return;
  end if;

  -- By lot, so that of nodes that take turns each has its own: about every tenth time, the less is claimed the more seldom.
  -- And the less often, the longer the last one took than what it found explains: beside an old transaction it passes over
  -- all that was ever held.
  if random() * (1 + coalesce(nullif(current_setting('dispatcher.tidy_ms', true), ''), '0')::float8)
    < 0.01 + 0.09 * least(most, 1000) / 1000
  then
    tidied_at := clock_timestamp();
    perform set_config('dispatcher.tidy_ms', greatest(0, extract(epoch from clock_timestamp() - tidied_at) * 1000
      - 1 - 0.005 * t.uuids)::text, false) from dispatcher.tidy(by_instance) t;
  end if;

  -- What its transaction does besides is the trigger's business.
  said := set_config('dispatcher.noting', 'on', true);
  with open as materialized (
    select e.place, e.priority, e.id
    from unnest(queues, lows, pasts, highs) q (name, low, past, high)
    cross join lateral (
      select e.ctid place, e.priority, e.id from dispatcher.envelope e
      where e.queue = q.name and e.due_at is null and not e.blocked and e.demand is null and not e.aside and e.state = 'available'
        and (e.priority, e.id) > (q.low, q.past) and e.priority <= q.high
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
      -- Arguments are an array, a reference is an object.
      not (select exists (select from dispatcher.node n where n.name = by_node and n.contents = n.instance))
        and starts_with(e.args::text, '{') refers,
      -- Few have any of these.
      case when e.attempt <> e.fence or e.max_attempts is not null or e.timeout is not null or e.solo
        or e.origin is not null or e.dedupe is not null or e.forgiven <> 0
        then json_build_array(e.uuid, e.attempt, e.max_attempts, e.timeout, e.solo, e.origin, e.dedupe is not null,
          e.forgiven)::text end rare
  ), noting as (
    insert into dispatcher.held (instance, uuids)
    select by_instance, array_agg(uuid) from claimed having count(*) > 0
  )
  select string_agg(c.uuid::text, e'\x1f'), array_agg(c.fence)::text, array_agg(c.priority)::text, array_agg(c.id)::text,
    string_agg(c.queue, e'\x1f') filter (where several), string_agg(replace(c.task, e'\x1f', ' '), e'\x1f'),
    string_agg(case when is_long then '' else c.args end, e'\x1f'),
    string_agg(case when is_long then '' else c.kwargs end, e'\x1f'),
    string_agg(case when is_long then '' else c.options end, e'\x1f'),
    string_agg(c.rare, ',') filter (where c.rare is not null), array_agg(c.uuid) filter (where is_long and not far and not refers),
    array_agg(c.uuid) filter (where far), array_agg(c.uuid) filter (where refers), (select last_value from dispatcher.envelope_id_seq), exists (
      select from dispatcher.envelope e
      where e.queue = any(queues) and e.demand is not null and e.due_at is null and not e.blocked and not e.aside
        and e.state = 'asking')
    into uuid, fence, priority, id, queue, task, args, kwargs, options, rare, longs, fars, referring, last, asking
  from (
    select c.*, octet_length(args) + octet_length(kwargs) + octet_length(options) > long or far or refers is_long
    from claimed c order by priority, id) c;
  said := set_config('dispatcher.noting', '', true);
  return next;

  -- By name, as it was decided above: the claim has written the rows anew, which may have compressed what is in them.
  if longs is not null or fars is not null or referring is not null then
    return query
    select e.uuid::text, null, null, null, null, null, e.args::text, e.kwargs::text, e.options::text, null, null,
      null::bigint, null::boolean
    from dispatcher.envelope e where e.uuid = any(longs)
    union all
    select f.uuid::text, null, null, null, null, null, case when f.before < budget then f.args::text end,
      case when f.before < budget then f.kwargs::text end, case when f.before < budget then f.options::text end,
      null, null, null, null
    from (
      select e.*, sum(pg_column_size(e.args)::bigint + pg_column_size(e.kwargs) + pg_column_size(e.options))
        over (order by e.priority, e.id) - pg_column_size(e.args) - pg_column_size(e.kwargs) - pg_column_size(e.options) before
      from dispatcher.envelope e where e.uuid = any(fars)) f
    union all
    -- What refers to nothing is handed on as it is, for the task to be refused with its arguments named.
    select e.uuid::text, null, null, null, null, null, coalesce(k.args, e.args::text), coalesce(k.kwargs, e.kwargs::text),
      e.options::text, null, null, null, null
    from dispatcher.envelope e
    left join dispatcher.contents(array(select r.args::text from dispatcher.envelope r where r.uuid = any(referring))) k
      on k.reference = e.args::text
    where e.uuid = any(referring);
  end if;
end $$;
