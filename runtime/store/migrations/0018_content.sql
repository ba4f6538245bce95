-- Long content is written once. Of a long call the envelope holds a reference, {"content":"…","day":20261129} in the place of
-- its arguments (which are an array otherwise), and moves to the archive with it; what it refers to lies in `content`, by
-- day, and goes with its partition. Of 10 kB each an envelope took the server 89 us and 22 kB of its log, half of it for the
-- copy in the archive; so it takes 36 and half the log.
--
-- | what | what keeps it whole |
-- | --- | --- |
-- | a node that does not know references | while one lives (`node.contents`) long calls are written as before |
-- | a claim by code of before, should it come later, which calls `exchange` here | the function hands out content |
-- | the archive's row would outlive the day of its content | what is settled more than a day after it was published takes its content along |
-- | an envelope waits longer than what is archived is kept | the pruner puts its content back into it before the day goes |
-- | what is dead is retried | it takes its content along |
-- | the pruner puts content back between a claim and the fetch of what it refers to | who fetches looks into the row again |
-- | a reference to nothing, or written by hand | the arguments are no array: discarded, with an error that shows it |

create table dispatcher.content (
  day           int not null, -- such as 20261129: no text of eight digits fails to be one
  id            uuid not null,
  args          json not null,
  kwargs        json not null,
  primary key (day, id)
) partition by range (day);

-- A missing partition must never block publishing.
create table dispatcher.content_default partition of dispatcher.content default;

-- As in 0008_lz4.sql; partitions take it from here.
do $$
begin
  execute 'alter table dispatcher.content alter column args set compression lz4, alter column kwargs set compression lz4';
  execute 'alter table dispatcher.content_default alter column args set compression lz4, alter column kwargs set compression lz4';
exception
  when feature_not_supported or syntax_error then null;
end $$;

-- The instance that said, when it registered, that it knows references: code of before takes over the name and the row of a
-- node, and leaves this as it is.
alter table dispatcher.node add column contents uuid;

-- Whoever may publish, may publish what is long.
do $$
declare
  publisher text;
begin
  for publisher in
    select distinct case grantee when 'PUBLIC' then 'public' else quote_ident(grantee) end
    from information_schema.column_privileges
    where table_schema = 'dispatcher' and table_name = 'envelope' and column_name = 'args' and privilege_type = 'INSERT'
      and grantee <> current_user
  loop
    execute format('grant insert on dispatcher.content to %s', publisher);
    execute format('grant select (contents, instance, state) on dispatcher.node to %s', publisher);
  end loop;
end $$;

-- The partitions of today and the `ahead` days that follow, as those of the archive; in a transaction of their own, since a
-- caller's transaction may hold one of the two tables for long. Returns how many were made.
create function dispatcher.create_contents(ahead int) returns int language plpgsql as $$
declare
  lo int;
  hi int;
  made int := 0;
begin
  for lo, hi in
    select to_char(day + n, 'YYYYMMDD'), to_char(day + n + 1, 'YYYYMMDD')
    from (select (now() at time zone 'utc')::date as day) today, generate_series(0, ahead) n
  loop
    if to_regclass(format('dispatcher.content_%s', lo)) is null
      and not exists (select from dispatcher.content_default where day = lo)
    then
      execute format('create table dispatcher.content_%s partition of dispatcher.content for values from (%s) to (%s)',
        lo, lo, hi);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;

select dispatcher.create_contents(3);

-- Drop the content of one day, unless an envelope refers to it: the pruner puts content back into those first, but for
-- what somebody has locked. False: it must wait. Nobody may write there meanwhile; who reads is waited for last.
create function dispatcher.drop_content(name text) returns boolean language plpgsql as $$
declare
  referred boolean;
begin
  if name !~ '^content_[0-9]{8}$' then
    raise exception 'Cannot drop %: it is no day of the content', quote_literal(name) using errcode = '22023';
  end if;
  if to_regclass(format('dispatcher.%I', name)) is null then
    return true; -- another pruner was faster
  end if;
  execute format('lock table dispatcher.%I in share row exclusive mode', name);
  execute format($text$
    select exists (select from dispatcher.%I c where c.id::text = any(array(
      select substring(e.args::text from 13 for 36) from dispatcher.envelope e
      where starts_with(e.args::text, '{"content":"') and substring(e.args::text from 57 for 8) = %L)))
    $text$, name, right(name, 8)) into referred;
  if not referred then
    execute format('drop table dispatcher.%I', name);
  end if;
  return not referred;
end $$;

-- Where roles.sql was applied, for nodes that do not own the table.
do $$
begin
  if (select prosecdef from pg_proc where oid = 'dispatcher.create_partitions(int)'::regprocedure) then
    alter function dispatcher.create_contents(int) security definer set search_path = pg_catalog, pg_temp;
    alter function dispatcher.drop_content(text) security definer set search_path = pg_catalog, pg_temp;
    revoke execute on function dispatcher.create_contents(int), dispatcher.drop_content(text) from public;
    if exists (select from pg_roles where rolname = 'dispatcher_node') then
      grant execute on function dispatcher.create_contents(int), dispatcher.drop_content(text) to dispatcher_node;
    end if;
  end if;
end $$;

-- What references refer to, of those that refer to something.
create function dispatcher.contents(refs text[]) returns table (reference text, args text, kwargs text)
language plpgsql stable
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off set work_mem = '16MB'
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  ids uuid[];
  one int;
begin
  -- By day: of many days no partition could be left out.
  for one, ids in
    select substring(r from 57 for 8), array_agg(substring(r from 13 for 36)) from unnest(refs) r
    where r ~ '^\{"content":"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}","day":[0-9]{8}\}$' group by 1
  loop
    return query
      select '{"content":"' || c.id || '","day":' || c.day || '}', c.args::text, c.kwargs::text
      from dispatcher.content c where c.day = one and c.id = any(ids);
  end loop;
end $$;

-- The arguments of an envelope, wherever they lie.
create function dispatcher.args_of(args json) returns json language sql stable as $$
  select case when starts_with(args::text, '{')
    then coalesce((select c.args from dispatcher.contents(array[args_of.args::text]) c)::json, args) else args end
$$;

create function dispatcher.kwargs_of(args json, kwargs json) returns json language sql stable as $$
  select case when starts_with(args::text, '{')
    then coalesce((select c.kwargs from dispatcher.contents(array[kwargs_of.args::text]) c)::json, kwargs) else kwargs end
$$;

-- As in 0017_long.sql, and what refers to its content.
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
      -- Arguments are an array, a reference is an object.
      not knows and starts_with(e.args::text, '{') refers,
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
      string_agg(rare, ',') filter (where rare is not null) rare, bool_or(is_long) any_long, bool_or(far) any_far,
      bool_or(refers) any_refers
    from (
      select c.*, octet_length(args) + octet_length(kwargs) + octet_length(options) > long or far or refers is_long
      from claimed c order by priority, id) c
  )
  select uuid, fence, priority, id, queue, task, args, kwargs, options, rare, unsettled,
    (select last_value from dispatcher.envelope_id_seq), exists (
      select from dispatcher.envelope e where e.queue = any(queues) and e.state = 'asking')
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
end $$;
