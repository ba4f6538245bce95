-- A claim writes no index. Of the 19 us that an envelope took the server, claiming and settling, 3 to 4 were entries of the
-- claim in the key and in the index of what runs; and 170 bytes of its log. No index knows now what a claim changes: the
-- new version of the row stays on its page, beside the one of before, and every index goes on to point to that place.
--
-- | index | held by state | holds now |
-- | --- | --- | --- |
-- | envelope_claim | available | what neither waits for a time nor behind another nor for resources: available, or running for a moment |
-- | envelope_asking | asking | the same that asks for resources |
-- | envelope_due | scheduled, retryable | what waits for a time, or behind another |
-- | envelope_cancel | running, and somebody asked for its end | whatever somebody asked the end of |
-- | envelope_running | running | gone: see `held` |
--
-- What runs is found by `held`, a row a claim, written with it. That is a list of what may run: who was settled meanwhile
-- is in it until somebody tidies up. What is missing in it would be lost when its node dies; so it is written by a trigger
-- where somebody claims in another way (a node of before, a person).
--
-- | what | what keeps it whole |
-- | --- | --- |
-- | a claim is undone | so is its row |
-- | the list is tidied while others claim and settle | it takes rows that are committed, and writes anew what still runs of them; a later claim has a row of its own |
-- | two tidy at once | each takes what the other has not locked |
-- | an envelope passes to another instance | it is written for whom it runs |
-- | code of before claims, or a person sets the state | who does not say that it is noting has the trigger write the row |
-- | code of before looks for what runs, or claims by statements of its own | it reads the table, which is slow and right |
-- | ten thousand run for hours | what has run for a while is put `aside`, out of the claim's index, when somebody tidies |

-- It runs for a while: no claim need pass over it.
alter table dispatcher.envelope add column aside boolean not null default false;

create table dispatcher.held (
  instance      uuid not null,
  uuids         uuid[] not null
);
create index held_instance on dispatcher.held (instance);
-- A row a claim comes and goes.
alter table dispatcher.held set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0);
-- Without lz4 to try takes longer than to write.
alter table dispatcher.held alter column uuids set storage external;
do $$
begin
  execute 'alter table dispatcher.held alter column uuids set compression lz4, alter column uuids set storage extended';
exception
  when feature_not_supported or syntax_error then null;
end $$;

-- What runs now. First, since the index that finds it goes.
insert into dispatcher.held (instance, uuids)
select coalesce(instance, '00000000-0000-0000-0000-000000000000'), array_agg(uuid)
from dispatcher.envelope where state = 'running' group by 1;

drop index dispatcher.envelope_running, dispatcher.envelope_cancel, dispatcher.envelope_claim, dispatcher.envelope_asking,
  dispatcher.envelope_due;
create index envelope_claim on dispatcher.envelope (queue, priority, id)
  where due_at is null and not blocked and demand is null and not aside;
create index envelope_asking on dispatcher.envelope (queue, demand, priority, id)
  where demand is not null and due_at is null and not blocked and not aside;
create index envelope_due on dispatcher.envelope (due_at) where due_at is not null or blocked;
create index envelope_cancel on dispatcher.envelope (cancel_at) where cancel_at is not null;

-- What holds whoever writes a state: what has a demand is never `available` (0012_resources.sql), what is available waits
-- for no time and behind nobody, and what runs is in `held`.
create function dispatcher.keep_state() returns trigger language plpgsql as $$
begin
  new.aside := new.aside and new.state = 'running';
  if new.state in ('available', 'asking') then
    new.due_at := null;
    new.blocked := false;
    new.state := case when new.demand is null then 'available' else 'asking' end;
  elsif new.state = 'running' then
    insert into dispatcher.held (instance, uuids)
    values (coalesce(new.instance, '00000000-0000-0000-0000-000000000000'), array[new.uuid]);
  end if;
  return new;
end $$;

-- The conditions keep them from costing anything where there is nothing to do.
drop trigger envelope_asks_again on dispatcher.envelope;
create trigger envelope_turns before update of state, due_at, blocked, demand, aside on dispatcher.envelope
  for each row when (case new.state when 'running' then current_setting('dispatcher.noting', true) is distinct from 'on'
    when 'available' then new.demand is not null or new.due_at is not null or new.blocked or new.aside
    when 'asking' then new.demand is null or new.due_at is not null or new.blocked or new.aside
    else new.aside end)
  execute function dispatcher.keep_state();
-- Behind envelope_asks, by its name.
create trigger envelope_begins before insert on dispatcher.envelope
  for each row when (case new.state when 'running' then true
    when 'scheduled' then false else new.due_at is not null or new.blocked or new.aside end)
  execute function dispatcher.keep_state();

-- Of what an instance was given, forget what runs no more, and put aside what has run for a while. Nobody is waited for:
-- whoever settles meanwhile holds other rows of the same instance. A part at a time, 0.6 us an uuid; says how much it took.
create function dispatcher.tidy(of_instance uuid, out rows int, out uuids int) language plpgsql
set search_path = pg_catalog, pg_temp as $$
declare
  given uuid[];
  running uuid[];
  run_by uuid[];
  places tid[];
begin
  with gone as (
    delete from dispatcher.held h where h.ctid = any(array(
      select l.ctid from dispatcher.held l where l.instance = of_instance limit 200 for update skip locked))
    returning h.uuids given)
  select array_agg(u), (select count(*) from gone) into given, rows from gone, unnest(gone.given) u;
  rows := coalesce(rows, 0);
  uuids := coalesce(cardinality(given), 0);

  select array_agg(e.uuid), array_agg(coalesce(e.instance, '00000000-0000-0000-0000-000000000000')),
    array_agg(e.ctid) filter (where not e.aside and e.claimed_at < clock_timestamp() - interval '2 seconds')
    into running, run_by, places
  from dispatcher.envelope e where e.uuid = any(given) and e.state = 'running';

  if places is not null then
    perform set_config('dispatcher.noting', 'on', true);
    update dispatcher.envelope set aside = true where ctid = any(array(
      select e.ctid from dispatcher.envelope e
      where e.ctid = any(places) and e.uuid = any(running) and e.state = 'running' for update skip locked));
    perform set_config('dispatcher.noting', '', true);
  end if;

  insert into dispatcher.held (instance, uuids)
  select r.by, array_agg(r.uuid) from (select unnest(run_by) by, unnest(running) uuid) r group by 1;
end $$;

-- As in 0018_content.sql; what is claimed is noted, and of outcomes and workers that are all the same the first is enough.
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
  verdicts text[] := case when cardinality(outcomes) = 1
    then array_fill(outcomes[1], array[cardinality(uuids)]) else outcomes end;
  runners text[] := case when cardinality(workers) = 1
    then array_fill(workers[1], array[cardinality(uuids)]) else workers end;
  tidied_at timestamptz;
  again uuid[];
  over uuid[];
  unsettled text;
  knows boolean := exists (select from dispatcher.node n where n.name = by_node and n.contents = n.instance);
  day_ago timestamptz := clock_timestamp() - interval '1 day';
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

  -- By lot, so that of nodes that take turns each has its own: about every tenth time, the less is claimed the more seldom.
  -- And the less often, the longer the last one took than what it found explains: beside an old transaction it passes over
  -- all that was ever held.
  if most > 0 and random() * (1 + coalesce(nullif(current_setting('dispatcher.tidy_ms', true), ''), '0')::float8)
    < 0.01 + 0.09 * least(most, 1000) / 1000
  then
    tidied_at := clock_timestamp();
    perform set_config('dispatcher.tidy_ms', greatest(0, extract(epoch from clock_timestamp() - tidied_at) * 1000
      - 1 - 0.005 * t.uuids)::text, false) from dispatcher.tidy(by_instance) t;
  end if;

  perform set_config('dispatcher.noting', 'on', true);
  return query
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
      not knows and starts_with(e.args::text, '{') refers,
      -- Few have any of these.
      case when e.attempt <> e.fence or e.max_attempts is not null or e.timeout is not null or e.solo
        or e.origin is not null or e.dedupe is not null or e.forgiven <> 0
        then json_build_array(e.uuid, e.attempt, e.max_attempts, e.timeout, e.solo, e.origin, e.dedupe is not null,
          e.forgiven)::text end rare
  ), noting as (
    insert into dispatcher.held (instance, uuids)
    select by_instance, array_agg(uuid) from claimed having count(*) > 0
  ), sheet as (
    select string_agg(uuid::text, e'\x1f') uuid, array_agg(fence)::text fence, array_agg(priority)::text priority,
      array_agg(id)::text id, string_agg(queue, e'\x1f') filter (where several) queue,
      string_agg(replace(task, e'\x1f', ' '), e'\x1f') task,
      string_agg(case when is_long then '' else args end, e'\x1f') args,
      string_agg(case when is_long then '' else kwargs end, e'\x1f') kwargs,
      string_agg(case when is_long then '' else options end, e'\x1f') options,
      string_agg(rare, ',') filter (where rare is not null) rare, bool_or(is_long) any_long, bool_or(far) any_far,
      bool_or(refers) any_refers
    from (
      select c.*, octet_length(args) + octet_length(kwargs) + octet_length(options) > long or far or refers is_long
      from claimed c order by priority, id) c
  )
  select uuid, fence, priority, id, queue, task, args, kwargs, options, rare, unsettled,
    (select last_value from dispatcher.envelope_id_seq), exists (
      select from dispatcher.envelope e
      where e.queue = any(queues) and e.demand is not null and e.due_at is null and not e.blocked and not e.aside
        and e.state = 'asking')
  from sheet
  union all
  select uuid::text, null, null, null, null, null, args, kwargs, options, null, null, null, null
  from claimed
  where (select any_long from sheet) and not far and not refers
    and octet_length(args) + octet_length(kwargs) + octet_length(options) > long
  union all
  -- As it was when the statement began; claiming changes none of this.
  select e.uuid::text, null, null, null, null, null, e.args::text, e.kwargs::text, e.options::text, null, null, null, null
  from dispatcher.envelope e
  where (select any_far from sheet) and e.ctid = any(array(select place from open))
    and greatest(pg_column_size(e.args), pg_column_size(e.kwargs), pg_column_size(e.options)) > long
  union all
  -- What refers to nothing is handed on as it is, for the task to be refused with its arguments named.
  select c.uuid::text, null, null, null, null, null, coalesce(k.args, c.args), coalesce(k.kwargs, c.kwargs), c.options,
    null, null, null, null
  from claimed c left join dispatcher.contents(array(select args from claimed where refers)) k on k.reference = c.args
  where (select any_refers from sheet) and refers;
  -- What its transaction does besides is the trigger's business.
  perform set_config('dispatcher.noting', '', true);
end $$;

-- What nodes of before call (0013_exchange.sql) finds its rows by the same index; the trigger notes what it claims.
do $$
declare
  former text := pg_get_functiondef((
    select oid from pg_proc where pronamespace = 'dispatcher'::regnamespace and proname = 'exchange' and pronargs = 20));
begin
  former := replace(former, 'e.state = ''available''', 'e.due_at is null and not e.blocked and e.demand is null and not e.aside and e.state = ''available''');
  former := replace(former, 'e.state = ''asking''', 'e.demand is not null and e.due_at is null and not e.blocked and not e.aside and e.state = ''asking''');
  execute former;
end $$;
